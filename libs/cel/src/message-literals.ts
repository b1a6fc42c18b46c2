// Literals of messages (`Object.spec{replicas: 1}`) and entries that may be missing (`{?"a": b}`, `[?x]`, `Object{?a: b}`): the
// library that reads the grammar knows neither. They are written as what it knows, and where they were is remembered:
// `Object_spec({replicas: 1})`, and a space for the mark.

export interface PlainText {
  readonly text: string
  /** By the place of the bracket that was put before the fields: the name of the message. */
  readonly messages: ReadonlyMap<number, string>
  /** Places of marks, now spaces. */
  readonly marks: ReadonlySet<number>
  /** A place in this text as one in the text that was given. */
  readonly original: (at: number) => number
}

const same = (at: number): number => at
const word = /[\w]/
/** What stands before fields and is no name of a message. */
const keywords: ReadonlySet<string> = new Set(['in', 'true', 'false', 'null'])

export const plainText = (given: string): PlainText => {
  if (!/[\w]\s*\{|[[{,]\s*\?/.test(given)) return { text: given, messages: new Map(), marks: new Set(), original: same }
  return rewritten(given)
}

interface Rewriting {
  text: string
  readonly messages: Map<number, string>
  readonly marks: Set<number>
  /** Places, in what is made, of what was put in. */
  readonly added: number[]
}

const rewritten = (given: string): PlainText => {
  const made: Rewriting = { text: '', messages: new Map(), marks: new Set(), added: [] }
  /** What each open bracket closes with, and whether it is an index. */
  const open: { readonly closing: string; readonly isIndex: boolean }[] = []
  for (let at = 0; at < given.length; ) {
    const end = skipped(given, at)
    if (end > at) {
      made.text += given.slice(at, end)
      at = end
      continue
    }
    const character = given[at]!
    if (character === '{') open.push({ closing: beginMessage(made) ? '})' : '}', isIndex: false })
    else if (character === '[' || character === '(') {
      const closing = character === '[' ? ']' : ')'
      open.push({ closing, isIndex: character === '(' || endsOperand(made.text) })
    }
    if ((character === '}' || character === ']' || character === ')') && open.at(-1)?.closing[0] === character) {
      made.text += character
      if (open.pop()!.closing.length > 1) add(made, ')')
    } else if (character === '?' && isMark(made.text, open.at(-1)?.isIndex ?? true)) {
      made.marks.add(made.text.length)
      made.text += ' '
    } else made.text += character
    at++
  }
  const { text, messages, marks, added } = made
  return { text, messages, marks, original: (at) => at - added.filter((place) => place < at).length }
}

const add = (made: Rewriting, character: string): void => {
  made.added.push(made.text.length)
  made.text += character
}

/** Puts a bracket before the fields of a message that begins here; false where it is a map. */
const beginMessage = (made: Rewriting): boolean => {
  const [whole, name] = /([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*$/.exec(made.text) ?? []
  if (whole === undefined || name === undefined || keywords.has(name)) return false
  const before = made.text.slice(0, made.text.length - whole.length)
  made.text = `${before}${whole.replaceAll('.', '_')}`
  made.messages.set(made.text.length, name)
  add(made, '(')
  return true
}

/** The end of a text or comment that begins here; the place itself where none does. */
const skipped = (given: string, at: number): number => {
  const rest = given.slice(at, at + 3)
  if (rest.startsWith('//')) {
    const end = given.indexOf('\n', at)
    return end < 0 ? given.length : end
  }
  const quote = rest.startsWith('"""') || rest.startsWith("'''") ? rest : rest[0]
  if (quote === undefined || !/^["'`]/.test(quote)) return at
  const isRaw = /(^|[^\w])[bB]?[rR][bB]?$/.test(given.slice(Math.max(0, at - 3), at))
  for (let end = at + quote.length; end < given.length; end++) {
    if (given[end] === '\\' && !isRaw) end++
    else if (given.startsWith(quote, end)) return end + quote.length
  }
  return given.length
}

const endsOperand = (text: string): boolean => {
  const last = text.trimEnd().at(-1)
  return last !== undefined && (word.test(last) || /["'`)\]}]/.test(last)) && !/(^|\W)in$/.test(text.trimEnd())
}

/** A question mark that begins an entry is none of a condition. */
const isMark = (text: string, isIndex: boolean): boolean => {
  const last = text.trimEnd().at(-1)
  return last === '{' || (!isIndex && (last === '[' || last === ','))
}
