/** The command for a POSIX shell that makes the same call. */

const KEY = '-H "Authorization: Bearer $OCR_API_KEY"';

/**
 * @param {{name: string, sampleAddress?: string}} image - of a sample, with its address
 * @param {string} address - of the call, as an absolute URL
 * @param {boolean} withKey - whether the service asks for a key; the command takes it from the environment
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

/** A file's name as curl's -F takes it: ; and , would end it, - is standard input. */
function curlFile(name) {
  if (name === "-") return "./-";
  return /[";,\\]|^\s|\s$/.test(name) ? `"${name.replace(/["\\]/g, "\\$&")}"` : name;
}

/** A word as the shell takes it. */
function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
