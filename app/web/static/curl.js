/** The curl command for the shown call, for POSIX shells. */

const KEY = '-H "Authorization: Bearer $OCR_API_KEY"';

/**
 * @param {{name: string, sampleAddress?: string}} image - samples have an address
 * @param {string} address - of the call, as an absolute URL
 * @param {boolean} withKey - whether to send a key, which the command takes from the environment
 */
export function curlCommand({ name, sampleAddress }, address, withKey) {
  const file = sampleAddress ? `-;filename=${name}` : curlFile(name);
  const call = command(`curl -F ${quote(`file=@${file}`)}`, address, withKey);
  if (!sampleAddress) return call;
  return `${command("curl -s", new URL(sampleAddress, document.baseURI).href, withKey)} |\n${call}`;
}

function command(start, address, withKey) {
  return [start, ...(withKey ? [KEY] : []), quote(address)].join(" \\\n  ");
}

/** Escape a file name for curl's -F, where ; and , end it and - is standard input. */
function curlFile(name) {
  if (name === "-") return "./-";
  return /[";,\\]|^\s|\s$/.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}"` : name;
}

/** Quote a word for the shell. */
function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
