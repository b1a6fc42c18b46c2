// `shiplog completion bash|zsh|fish`: a script for the shell, made from the commands themselves, so that it cannot lag
// behind them.
import type { Command, Option } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

interface Described {
  readonly name: string
  readonly description: string
  readonly options: readonly Option[]
}

export function completionScript(shell: Shell, program: Command): string {
  const commands = program.commands.map(
    (command): Described => ({
      name: command.name(),
      description: command.description(),
      options: [...command.options, ...command.createHelp().visibleOptions(command).filter((o) => !command.options.includes(o))],
    }),
  )
  return { bash, zsh, fish }[shell](commands)
}

const flagsOf = (options: readonly Option[]): string =>
  options.flatMap(({ long, short }) => [long, short].filter((flag) => flag !== undefined && flag !== null)).join(' ')
const valued = (option: Option): boolean => option.required || option.optional
const patternOf = ({ long, short }: Option): string => [long, short].filter(Boolean).join('|')
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

/** Values where an option knows them; files otherwise. */
const bash = (commands: readonly Described[]): string => `# shiplog completion: source <(shiplog completion bash)
_shiplog() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')} --help" -- "$current"))
    return
  fi
  case "$command" in
${commands
  .map(
    ({ name, options }) => `    ${name})
      case "$previous" in
${options
  .filter((option) => valued(option) && option.argChoices)
  .map(
    (option) =>
      `        ${patternOf(option)}) COMPREPLY=($(compgen -W "${option.argChoices!.join(' ')}" -- "$current")); return;;\n`,
  )
  .join('')}      esac
      [[ "$current" == -* ]] && COMPREPLY=($(compgen -W "${flagsOf(options)}" -- "$current"));;
`,
  )
  .join('')}  esac
}
complete -o default -F _shiplog shiplog
`

const zsh = (commands: readonly Described[]): string => `#compdef shiplog
# shiplog completion: source <(shiplog completion zsh)
_shiplog() {
  local -a commands
  commands=(
${commands.map(({ name, description }) => `    ${quoted(`${name}:${description.replaceAll(':', '\\:')}`)}`).join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case "$words[2]" in
${commands
  .map(
    ({ name, options }) => `    ${name})
      _arguments -s ${options.flatMap(zshOption).join(' ')} '*::argument:_files';;
`,
  )
  .join('')}  esac
}
compdef _shiplog shiplog
`

function zshOption(option: Option): string[] {
  const text = option.description.replaceAll(/[[\]]/g, '').replaceAll(':', '\\:')
  const value = valued(option) ? `:value:${option.argChoices ? `(${option.argChoices.join(' ')})` : '_files'}` : ''
  return [option.long, option.short]
    .filter((flag) => flag !== undefined && flag !== null)
    .map((flag) => quoted(`${flag}[${text}]${value}`))
}

const fish = (commands: readonly Described[]): string => `# shiplog completion: shiplog completion fish | source
complete -c shiplog -n __fish_use_subcommand -f
${commands.map(({ name, description }) => `complete -c shiplog -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`).join('\n')}
${commands
  .flatMap(({ name, options }) =>
    options.map((option) => {
      const parts = [`complete -c shiplog -n '__fish_seen_subcommand_from ${name}'`]
      if (option.long) parts.push(`-l ${option.long.slice(2)}`)
      if (option.short) parts.push(`-s ${option.short.slice(1)}`)
      if (valued(option)) parts.push(option.argChoices ? `-x -a ${quoted(option.argChoices.join(' '))}` : '-r')
      parts.push(`-d ${quoted(option.description)}`)
      return parts.join(' ')
    }),
  )
  .join('\n')}
`
