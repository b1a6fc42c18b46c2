// A conformance case: one observable behaviour of Kubernetes, checked through real kubectl or helm, with the place that
// says so. Cases are data and functions, so that the suites (and the sabotage check) can run them in any order and place.
import type { CommandOptions, CommandResult } from './command.ts'
import type { HttpAnswer, HttpRequest } from './http.ts'

export interface Case {
  /** Unique: `apply/conflict-is-told`. The first part is the topic. */
  readonly id: string
  /** Rows of the checklist: `C9`. */
  readonly rows: readonly string[]
  /** The documentation or the observed behaviour of upstream that the case checks. */
  readonly source: string
  /** Runs it with the machine's own kubectl, too. */
  readonly bothVersions?: boolean
  /** Must not run beside other cases (it touches nodes or other things that all share). */
  readonly alone?: boolean
  readonly run: (t: CaseContext) => Promise<void>
}

export type Any = any

/** What a case works with. Every case has a namespace of its own, which kubectl and helm use by default. */
export interface CaseContext {
  readonly namespace: string
  /** Runs kubectl and returns what it printed; a failure fails the case. Single quotes keep spaces. */
  k(line: string | readonly string[], options?: CommandOptions): Promise<string>
  /** Runs kubectl, which must fail, and returns standard error. */
  kFails(line: string | readonly string[], options?: CommandOptions): Promise<string>
  /** Runs kubectl and returns everything. */
  kAll(line: string | readonly string[], options?: CommandOptions): Promise<CommandResult>
  /** `kubectl get <what> -o json`, parsed. */
  get(what: string): Promise<Any>
  /** `kubectl apply -f -` (or another command that reads a manifest from its input), and what it printed. */
  feed(line: string, ...manifests: readonly Any[]): Promise<string>
  helm(line: string | readonly string[], options?: CommandOptions): Promise<string>
  helmFails(line: string | readonly string[], options?: CommandOptions): Promise<string>
  /** A request of its own to the API. `{ns}` in the path stands for the namespace. */
  http(request: HttpRequest): Promise<HttpAnswer>
  /** Writes a file into the case's own directory and returns its path. */
  file(name: string, content: string | Any): string
  /** Repeats a check until it holds; fails with its last complaint. */
  eventually<T>(check: () => Promise<T>, timeoutMs?: number): Promise<T>
}

/** Declares the cases of one topic. */
export function topic(name: string, cases: Readonly<Record<string, Omit<Case, 'id'>>>): readonly Case[] {
  return Object.entries(cases).map(([id, rest]) => ({ id: `${name}/${id}`, ...rest }))
}

/** Fails the case unless the text matches. */
export function has(text: string, ...patterns: readonly (RegExp | string)[]): void {
  for (const pattern of patterns) {
    const found = typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text)
    if (!found) throw new Error(`expected ${pattern} in:\n${text.slice(0, 4000)}`)
  }
}

/** Fails the case if the text matches. */
export function lacks(text: string, ...patterns: readonly (RegExp | string)[]): void {
  for (const pattern of patterns) {
    const found = typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text)
    if (found) throw new Error(`did not expect ${pattern} in:\n${text.slice(0, 4000)}`)
  }
}
