/** The command for a POSIX shell that makes the same call. */

/**
 * @param {{name: string, origin: string}} image
 * @param {string} address - of the call, as an absolute URL
 * @param {boolean} withKey - whether the service asks for a key; the command takes it from the environment
 */
export function curlCommand({ name, origin }, address, withKey) {
  const fromSample = origin === "sample";
  const file = fromSample ? `-;filename=${name}` : curlFile(name);
  const parts = [`curl -F ${quote(`file=@${file}`)}`];
  if (withKey) parts.push('-H "Authorization: Bearer $OCR_API_KEY"');
  parts.push(quote(address));
  const command = parts.join(" \\\n  ");
  return fromSample ? `curl -s ${quote(new URL(sampleAddress(name), document.baseURI).href)} |\n${command}` : command;
}

/** Where a sample is. */
export function sampleAddress(name) {
  return `static/samples/${name}`;
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
