// Configuration of a process by its environment: every variable is asked for by name, and what is missing or wrong is
// said in one sentence with that name.
import { readFileSync } from 'node:fs'

export interface Environment {
  /** The value; throws when there is none. */
  required(name: string): string
  optional(name: string): string | undefined
  number(name: string, otherwise: number): number
  /** Undefined when there is none; `parse` throws a sentence about what is wrong. */
  parsed<Value>(name: string, parse: (text: string) => Value): Value | undefined
  /** Comma-separated; throws when there is none. */
  list(name: string): readonly string[]
  /** The text of the file that the variable names; throws when there is none. */
  file(name: string): string
  optionalFile(name: string): string | undefined
}

/** Reads variables of a process; empty ones count as absent. */
export function readEnvironment(variables: Readonly<Record<string, string | undefined>>): Environment {
  const optional = (name: string): string | undefined => variables[name]?.trim() || undefined
  const required = (name: string): string => {
    const value = optional(name)
    if (value === undefined) throw new Error(`the environment variable ${name} is not set`)
    return value
  }
  const textOf = (name: string, path: string): string => {
    try {
      return readFileSync(path, 'utf8')
    } catch (cause) {
      throw new Error(`${path}, which ${name} names, cannot be read`, { cause })
    }
  }
  return {
    required,
    optional,
    number(name, otherwise) {
      const text = optional(name)
      if (text === undefined) return otherwise
      const value = Number(text)
      if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is ${text}, which is no whole number`)
      return value
    },
    parsed(name, parse) {
      const text = optional(name)
      try {
        return text === undefined ? undefined : parse(text)
      } catch (cause) {
        throw new Error(`${name} is ${text}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
      }
    },
    list: (name) =>
      required(name)
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== ''),
    file: (name) => textOf(name, required(name)),
    optionalFile(name) {
      const path = optional(name)
      return path === undefined ? undefined : textOf(name, path)
    },
  }
}
