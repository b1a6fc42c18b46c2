// JSON whose whole numbers stay exact. A double holds integers up to 2^53, Kubernetes' int64 goes to 2^63: what lies between
// is a bigint here, and is written as a plain number again. Only what users' kinds hold can be so large (resources of their own,
// and what has no type: `RawExtension`, JSON in a schema), so other objects are read the quick way.
import type { KubeObject } from './kube-object.ts'

const int64Max = 2n ** 63n - 1n
const int64Min = -(2n ** 63n)

// What JSON.stringify asks of a bigint: the one hook that there is.
Object.defineProperty(BigInt.prototype, 'toJSON', {
  value(this: bigint) {
    return rawJson(this.toString())
  },
  configurable: true,
  writable: true,
})

const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON

/** An integer as a value of JSON: a number where that is exact, a bigint within int64, beyond it a number as Go reads it. */
export function exactInteger(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) || value < int64Min || value > int64Max ? number : value
}

type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown

const reviveExactly: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && source !== undefined && /^-?\d{16,}$/.test(source) ? exactInteger(BigInt(source)) : value

/** Whether a text has a number of so many digits that a double might not hold it; digits inside of strings hardly ever look so. */
const mayBeInexact = /(?:^|[:,[])\s*-?\d{16}/

/** Reads JSON with integers of 64 bits. */
export const parseExactJson = (text: string): unknown =>
  mayBeInexact.test(text)
    ? JSON.parse(text, reviveExactly as (key: string, value: unknown) => unknown)
    : JSON.parse(text)

/** How objects begin of groups whose kinds hold no such numbers: groups without a dot, but for the data of ControllerRevisions. */
const hasPlainNumbers = /^\{"kind":"(?!ControllerRevision")\w+","apiVersion":"\w+[/"]/

/** Reads an object as it is stored and served. */
export const parseObjectText = (text: string): KubeObject =>
  (hasPlainNumbers.test(text) ? JSON.parse(text) : parseExactJson(text)) as KubeObject
