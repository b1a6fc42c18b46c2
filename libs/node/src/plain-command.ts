// What a container would come to, where its command line says it plainly: `sleep 5`, `false`, `sh -c "sleep 5; exit 3"`. Nothing
// is run, and what would have to be run to know (variables, pipes, any other program) is not guessed.

/** How a container that nothing stops ends, and when; `Infinity`: never. */
export interface PlainEnd {
  readonly afterMs: number
  readonly exitCode: number
}

const shells: ReadonlySet<string> = new Set(['sh', 'bash', 'ash', 'dash'])
const shellFlags = /^-[eux]*c$/
/** A script longer than this is no plain one. */
const scriptCharactersMax = 1_000

/** `registry.k8s.io/pause:3.10`: made to do nothing until it is stopped. */
const isPause = (image: string): boolean => /(?:^|\/)pause(?:[:@]|$)/.test(image)

/** The end of a container by its image and command line; undefined where they do not say. */
export function plainEnd(image: string, commandLine: readonly string[]): PlainEnd | undefined {
  if (commandLine.length === 0) return isPause(image) ? { afterMs: Number.POSITIVE_INFINITY, exitCode: 0 } : undefined
  const [program = '', ...rest] = commandLine
  if (shells.has(nameOf(program))) return shellFlags.test(rest[0] ?? '') ? endOfScript(rest[1] ?? '') : undefined
  // Nothing expands what a container is started with, but for references to variables.
  if (commandLine.some((word) => word.includes('$('))) return undefined
  return endOfProgram(commandLine)
}

const nameOf = (program: string): string => program.replace(/^(?:\/usr)?\/bin\//, '')

function endOfProgram([program = '', ...rest]: readonly string[]): PlainEnd | undefined {
  switch (nameOf(program)) {
    case 'true':
    case 'echo':
      return { afterMs: 0, exitCode: 0 }
    case 'false':
      return { afterMs: 0, exitCode: 1 }
    case 'sleep':
      return endOfSleep(rest)
    case 'tail':
      return rest.join(' ') === '-f /dev/null' ? { afterMs: Number.POSITIVE_INFINITY, exitCode: 0 } : undefined
    default:
      return undefined
  }
}

const unitMs: Readonly<Record<string, number>> = { '': 1_000, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function endOfSleep(lengths: readonly string[]): PlainEnd | undefined {
  let afterMs = 0
  for (const length of lengths) {
    const [, number, unit] = /^(\d+(?:\.\d+)?|inf(?:inity)?)([smhd]?)$/.exec(length) ?? []
    if (number === undefined) return undefined
    afterMs += number.startsWith('inf') ? Number.POSITIVE_INFINITY : Number(number) * unitMs[unit!]!
  }
  return lengths.length === 0 ? undefined : { afterMs, exitCode: 0 }
}

/** What stands between commands, or a word, bare or in quotes, in which nothing is expanded. */
const token = /[^\S\n]*(?:(&&|\|\||[;\n])|(?:'([^']*)'|"([^"$`\\]*)"|([\w./:=@%+,-]+))(?=[\s;&|]|$))/y

interface Step {
  /** What stands before it. */
  readonly joint: string
  readonly words: string[]
}

/** The commands of a script; undefined when it holds anything else. */
function stepsOf(script: string): readonly Step[] | undefined {
  const steps: Step[] = [{ joint: ';', words: [] }]
  for (token.lastIndex = 0; token.lastIndex < script.length; ) {
    const found = token.exec(script)
    if (!found) return undefined
    const [, joint, single, double, bare] = found
    const { words } = steps.at(-1)!
    if (joint === undefined) words.push(single ?? double ?? bare!)
    else if (words.length > 0) steps.push({ joint, words: [] })
    else if (joint !== '\n') return undefined
  }
  const last = steps.at(-1)!
  if (last.words.length > 0) return steps
  return last.joint === ';' || last.joint === '\n' ? steps.slice(0, -1) : undefined
}

/** Commands one after another, as `;`, `&&` and `||` let them. */
function endOfScript(script: string): PlainEnd | undefined {
  const steps = script.length > scriptCharactersMax ? undefined : stepsOf(script.trim())
  if (!steps) return undefined
  let afterMs = 0
  let exitCode = 0
  for (const { joint, words } of steps) {
    if (joint === '&&' ? exitCode !== 0 : joint === '||' && exitCode === 0) continue
    const [command, ...rest] = words[0] === 'exec' ? words.slice(1) : words
    if (command === 'exit') return exitOf(rest[0], afterMs, exitCode)
    const end = command === ':' ? { afterMs: 0, exitCode: 0 } : endOfProgram([command ?? '', ...rest])
    if (!end) return undefined
    afterMs += end.afterMs
    exitCode = end.exitCode
    if (words[0] === 'exec') break
  }
  return { afterMs, exitCode }
}

function exitOf(code: string | undefined, afterMs: number, before: number): PlainEnd | undefined {
  if (code === undefined) return { afterMs, exitCode: before }
  return /^\d{1,9}$/.test(code) ? { afterMs, exitCode: Number(code) % 256 } : undefined
}
