// What is accepted of a claim and is most likely a mistake.
import { goQuote } from '@shiplog/api/decode/go-quote'
import type { PersistentVolumeClaimSpec } from '@shiplog/api/generated/types/core-v1'
import type { Decoded } from '@shiplog/api/decoded'
import { nanosOf } from '../quantities.ts'

const nanosPerUnit = 1_000_000_000n

/** Of amounts of bytes that are none in whole bytes. */
export const fractionalBytes = (
  quantities: Readonly<Record<string, string>> | undefined,
  names: readonly string[],
  field: string,
): string[] =>
  names.flatMap((name) => {
    const nanos = nanosOf(quantities?.[name])
    return nanos !== undefined && nanos % nanosPerUnit !== 0n
      ? [
          `${field}[${name}]: fractional byte value ${goQuote(String(quantities![name]))} is invalid, must be an integer`,
        ]
      : []
  })

export const claimSpecWarnings = (spec: Decoded<PersistentVolumeClaimSpec> | undefined, field: string): string[] =>
  (['requests', 'limits'] as const).flatMap((list) =>
    fractionalBytes(spec?.resources?.[list], ['storage'], `${field}.resources.${list}`),
  )

export const deprecatedStorageClass = 'deprecated since v1.8; use "storageClassName" attribute instead'
