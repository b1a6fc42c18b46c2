// Lines for a shell, to be copied. What stands in them was written by strangers (a ClusterRole may be called `$(reboot)`, and a
// URL may have been sent by somebody), so every word is quoted where it must be.

const plainWord = /^[\w@%+=:,./-]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const control = /[\u0000-\u001f\u007f]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const controls = /[\u0000-\u001f\u007f]/g

function quoted(word: string): string {
  if (plainWord.test(word)) return word
  // A terminal would act on them, whatever the shell makes of the quotes.
  if (control.test(word)) return `$'${word.replace(/[\\']/g, '\\$&').replace(controls, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`)}'`
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** Words that are undefined are left out. */
export const shellLine = (...words: readonly (string | undefined)[]): string =>
  words.filter((word) => word !== undefined).map(quoted).join(' ')

export const inNamespace = (namespace: string | undefined): readonly string[] => (namespace ? ['-n', namespace] : [])

/** The flag that makes kubectl look at a moment; none for the present. */
export const atMoment = (at: string | undefined): readonly string[] => (at ? ['--server', `${location.origin}/at/${encodeURIComponent(at)}`] : [])
