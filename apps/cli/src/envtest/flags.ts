// Command lines as upstream's components take them: `--name=value`, `--name value`, `--switch`, `--switch=false`. Pure.

/** What a flag takes: a value, several (given again, or separated by commas), or nothing but on and off. */
export type FlagKind = 'value' | 'list' | 'switch'

export interface Flag {
  readonly kind: FlagKind
  readonly help: string
}

export type FlagTable = Readonly<Record<string, Flag>>

export interface ParsedFlags<Table extends FlagTable> {
  value(name: keyof Table & string): string | undefined
  list(name: keyof Table & string): readonly string[]
  /** Undefined when it was not given. */
  isOn(name: keyof Table & string): boolean | undefined
  readonly wantsHelp: boolean
  /** Flags that are not in the table, as they were given. */
  readonly unknown: readonly string[]
}

/** Throws a sentence about what cannot be understood at all. */
export function parseFlags<Table extends FlagTable>(table: Table, args: readonly string[]): ParsedFlags<Table> {
  const given = new Map<string, string[]>()
  const unknown: string[] = []
  let wantsHelp = false
  for (let at = 0; at < args.length; at++) {
    const [name, inline] = splitFlag(args[at]!)
    if (name === 'help' || name === 'h') {
      wantsHelp = true
      continue
    }
    const flag = Object.hasOwn(table, name) ? table[name] : undefined
    const isSwitch = flag === undefined ? (args[at + 1] ?? '--').startsWith('-') : flag.kind === 'switch'
    const text = inline ?? (isSwitch ? 'true' : args[++at])
    if (!flag) {
      unknown.push(name)
      continue
    }
    if (text === undefined) throw new Error(`flag needs an argument: --${name}`)
    given.set(name, [...(given.get(name) ?? []), text])
  }
  const value = (name: string): string | undefined => given.get(name)?.at(-1)
  return {
    value,
    list: (name) => (given.get(name) ?? []).flatMap((text) => text.split(',')).filter((text) => text !== ''),
    isOn: (name) => readSwitch(name, value(name)),
    wantsHelp,
    unknown,
  }
}

function splitFlag(argument: string): readonly [name: string, value: string | undefined] {
  const match = /^--?([^=\s-][^=\s]*)(?:=([\s\S]*))?$/.exec(argument)
  if (!match) throw new Error(`unknown command ${JSON.stringify(argument)}: only flags are taken`)
  return [match[1]!.replaceAll('_', '-'), match[2]]
}

const on: readonly string[] = ['1', 't', 'T', 'true', 'TRUE', 'True']
const off: readonly string[] = ['0', 'f', 'F', 'false', 'FALSE', 'False']

function readSwitch(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined
  if (on.includes(text)) return true
  if (off.includes(text)) return false
  throw new Error(`invalid argument ${JSON.stringify(text)} for "--${name}" flag: it is on or off`)
}

/** One flag a line, indented: launchers look for `^\s*--name` to learn what a version takes. */
export const helpText = (usage: string, table: FlagTable): string =>
  [
    usage,
    '',
    'Flags:',
    ...Object.entries(table).map(([name, { kind, help }]) => `      --${name}${kind === 'switch' ? '' : ` ${kind}`}   ${help}`),
    '  -h, --help   help for this command',
    '',
  ].join('\n')
