"""Reference evaluation of sums by Python's own parser."""

import ast
import operator
import re
import unicodedata
from fractions import Fraction

SPELLINGS = {"+": "+＋", "-": "-−–", "*": "*×xX", "/": "/÷:", "(": "(", ")": ")", "=": "=", "?": "?"}
DIGITS = "0123456789٠١٢٣٤٥٦٧٨٩०१२३४५६७८९０１２３４５６７８９"
OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def value_by_python(text: str) -> int | None:
    """Return the expected result of `value_of` for texts of these digits, spellings and spaces."""
    plain = "".join(map(_in_ascii, text))
    plain = re.sub(r"(= *\??|\?)? *$", "", plain).strip()
    plain = re.sub(r"(?<!\d)0+(?=\d)", "", plain)  # 07 is a syntax error in Python
    if re.search(r"[-+*/] *[-+*/]", plain):
        return None  # in Python the second would be a sign, or both a power
    try:
        tree = ast.parse(plain, mode="eval")
    except SyntaxError:
        return None
    if not any(isinstance(node, ast.BinOp) for node in ast.walk(tree)):
        return None
    try:
        value = _value(tree.body)
    except (ZeroDivisionError, TypeError):
        return None
    return int(value) if value == int(value) and abs(value) < 2**53 else None


def _in_ascii(character: str) -> str:
    signs = [sign for sign, spellings in SPELLINGS.items() if character in spellings]
    return signs[0] if signs else str(unicodedata.digit(character, character))


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.BinOp(left, operation, right):
            return Fraction(OPERATIONS[type(operation)](_value(left), _value(right)))
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand)
        case ast.UnaryOp(ast.UAdd(), operand):
            return _value(operand)
        case ast.Constant(int(value)):
            return Fraction(value)
    raise TypeError(f"{node} is nothing of a sum")
