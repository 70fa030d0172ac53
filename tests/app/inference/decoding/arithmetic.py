"""The value of a sum by Python's own parser: slow and obviously right."""

import ast
import operator
import re
import unicodedata
from fractions import Fraction

SPELLINGS = {"+": "+＋", "-": "-−–", "*": "*×xX", "/": "/÷:", "(": "(", ")": ")", "=": "=", "?": "?"}
DIGITS = "0123456789٠١٢٣٤٥٦٧٨٩०१२३४५६७८९０１２３４５６７８９"
OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}


def value_by_python(text: str) -> int | None:
    """What `value_of` is to return for texts of these digits, spellings and spaces."""
    plain = "".join(map(_in_ascii, text))
    plain = re.sub(r"(= *\??|\?)? *$", "", plain).strip()
    plain = re.sub(r"(?<!\d)0+(?=\d)", "", plain)  # Python takes 07 for a mistake
    if re.search(r"[-+*/] *[-+*/]", plain):
        return None  # Python would take the second for a sign, or both for a power
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
