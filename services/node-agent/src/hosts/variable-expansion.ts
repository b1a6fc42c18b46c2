// `$(NAME)` in commands, arguments and values of environment variables, by upstream's rules: `$$` is one `$`, and a
// reference to what is not defined stays as it is written.

/** Replaces every `$(NAME)` that `lookup` knows. */
export function expandVariables(text: string, lookup: (name: string) => string | undefined): string {
  let result = ''
  for (let at = 0; at < text.length; at++) {
    const next = text[at + 1]
    if (text[at] !== '$' || next === undefined) {
      result += text[at]
    } else if (next === '$') {
      result += '$'
      at++
    } else if (next === '(') {
      const end = text.indexOf(')', at + 2)
      if (end === -1) {
        result += '$('
        at++
      } else {
        result += lookup(text.slice(at + 2, end)) ?? text.slice(at, end + 1)
        at = end
      }
    } else {
      result += `$${next}`
      at++
    }
  }
  return result
}
