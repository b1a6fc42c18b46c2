// The programs of this folder: what each needs, how it is built outside the tree, and how it is started.
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { runCommand } from '../src/command.ts'

export interface Program {
  /** Its folder, and who it is in what it writes. */
  readonly name: string
  /** Programs that must be on PATH, each with how to get it. */
  readonly tools: Readonly<Record<string, string>>
  /** Commands that build it, in a copy of its folder. */
  readonly build: readonly (readonly string[])[]
  /** What starts it, in that copy; the namespace is appended. */
  readonly start: readonly string[]
}

const root = resolve(import.meta.dirname, '..', '..')
const cache = join(root, '.cache', 'clients')
/** The first build fetches and compiles everything: on two busy cores that takes a while. */
const buildTimeoutMs = 25 * 60_000

const java: Program['tools'] = {
  javac: 'a JDK of 17 or later (Debian: apt-get install openjdk-17-jdk)',
  mvn: 'Apache Maven (Debian: apt-get install maven)',
}
/** Maven fetches the packages; one file needs no more than javac. */
const buildJava = [
  ['mvn', '-B', '-q', 'dependency:copy-dependencies', '-DoutputDirectory=lib'],
  ['javac', '--release', '17', '-cp', 'lib/*', '-d', 'classes', 'Main.java'],
]
const startJava = ['java', '-Xmx256m', '-cp', 'classes:lib/*', 'Main']

export const programs: readonly Program[] = [
  {
    name: 'client-node',
    tools: {},
    build: [],
    // Where it lies: its packages are those of the checkout.
    start: [process.execPath, join(import.meta.dirname, 'client-node', 'main.ts')],
  },
  {
    name: 'python',
    tools: { python3: 'Python 3.10 or later, with venv (Debian: apt-get install python3-venv)' },
    build: [
      ['python3', '-m', 'venv', 'venv'],
      // Bytecode is made of what is imported: of all that is installed it takes a quarter of a minute.
      ['venv/bin/pip', 'install', '--quiet', '--no-compile', '--disable-pip-version-check', '-r', 'requirements.txt'],
    ],
    start: ['venv/bin/python', 'main.py'],
  },
  {
    name: 'client-go',
    tools: { go: 'Go 1.26 or later (Debian: apt-get install golang, or go.dev)' },
    build: [['go', 'build', '-o', 'program', '.']],
    start: ['./program'],
  },
  { name: 'fabric8', tools: java, build: buildJava, start: startJava },
  { name: 'client-java', tools: java, build: buildJava, start: startJava },
  {
    name: 'kube-rs',
    tools: { cargo: 'Rust 1.89 or later (Debian: apt-get install rustup, then rustup default stable)' },
    build: [['cargo', 'build', '--release', '--quiet']],
    start: ['target/release/program'],
  },
]

/** Programs on PATH that are missing, in sentences that say how to get them. */
export function missingTools({ tools }: Program): string[] {
  const places = (process.env['PATH'] ?? '').split(':')
  return Object.entries(tools)
    .filter(([tool]) => !places.some((place) => existsSync(join(place, tool))))
    .map(([tool, how]) => `${tool} is not on PATH: install ${how}`)
}

/** Builds a program unless what was built is of these sources. Returns the folder to start it in. */
export async function buildProgram({ name, build, tools }: Program): Promise<string> {
  const source = join(import.meta.dirname, name)
  const place = join(cache, name)
  const stamp = join(place, '.built')
  const hash = createHash('sha256').update(JSON.stringify(build))
  const files = readdirSync(source, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const file of files.map((entry) => join(entry.parentPath, entry.name)).sort())
    hash.update(file.slice(source.length)).update(readFileSync(file))
  const digest = hash.digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return place
  mkdirSync(place, { recursive: true })
  rmSync(stamp, { force: true })
  cpSync(source, place, { recursive: true })
  for (const [command, ...args] of build) {
    const path = command!.includes('/') ? join(place, command!) : command!
    const result = await runCommand(path, args, { cwd: place, timeoutMs: buildTimeoutMs })
    if (result.code !== 0) {
      const needs = Object.values(tools).join('; ')
      throw new Error(`${result.command} failed; it needs ${needs}:\n${result.stdout}${result.stderr}`)
    }
  }
  writeFileSync(stamp, digest)
  return place
}
