// Reads the ```console blocks of a Markdown page: commands, what the page says they print, and the blocks that a test
// cannot run, with the reason that stands in an HTML comment above them. Pure.

export interface ConsoleCommand {
  /** As it stands on the page; lines that end with a backslash are joined as a shell joins them. */
  readonly text: string
  /** What stands after ` # ` on its last line. */
  readonly comment: string
  /** Line of the page, from 1. */
  readonly line: number
  /** Lines that the page shows below it; empty when it shows none. */
  readonly printed: readonly string[]
  /** `exit code 3` in the comment; else 0. */
  readonly exitCode: number
  /** `Ctrl-C` in the comment: it goes on until somebody ends it. */
  readonly endsByCtrlC: boolean
}

export interface ConsoleBlock {
  readonly line: number
  readonly commands: readonly ConsoleCommand[]
  /** `<!-- not run: … -->` above the block. */
  readonly notRun?: string
}

/** All console blocks of a page, in order. */
export function consoleBlocks(page: string): readonly ConsoleBlock[] {
  const lines = page.split('\n')
  const blocks: ConsoleBlock[] = []
  let reason: string | undefined
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index]!
    const notRun = /^<!-- not run: (.+) -->$/.exec(line)
    if (notRun) reason = notRun[1]!
    else if (line === '```console') {
      const end = lines.indexOf('```', index)
      if (end < 0) throw new Error(`line ${index + 1}: a block that does not end`)
      const commands = commandsOf(lines.slice(index + 1, end), index + 2)
      blocks.push({ line: index + 1, commands, ...(reason === undefined ? {} : { notRun: reason }) })
      reason = undefined
      index = end
    } else if (line.trim() !== '') reason = undefined
  }
  return blocks
}

function commandsOf(lines: readonly string[], firstLine: number): readonly ConsoleCommand[] {
  const commands: ConsoleCommand[] = []
  for (let index = 0; index < lines.length; ) {
    const first = lines[index]!
    if (!first.startsWith('$ ')) {
      if (first.trim() !== '') throw new Error(`line ${firstLine + index}: output without a command: ${first}`)
      index += 1
      continue
    }
    const line = firstLine + index
    const parts = [first.slice(2)]
    while (parts.at(-1)!.endsWith('\\')) {
      index += 1
      if (lines[index] === undefined) throw new Error(`line ${line}: a command that does not end`)
      parts.push(lines[index]!)
    }
    index += 1
    const printed: string[] = []
    while (index < lines.length && !lines[index]!.startsWith('$ ')) printed.push(lines[index++]!)
    const text = parts.join('\n')
    const comment = / # (.*)$/.exec(parts.at(-1)!)?.[1] ?? ''
    commands.push({
      text,
      comment,
      line,
      printed: printed.filter((one) => one.trim() !== ''),
      exitCode: Number(/\bexit code (\d+)/.exec(comment)?.[1] ?? 0),
      endsByCtrlC: comment.includes('Ctrl-C'),
    })
  }
  return commands
}
