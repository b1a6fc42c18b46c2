// Those who are asked about a write, in the one order that api-gateway.ts gives: to change it, then to judge it.
import { isApiError } from '@shiplog/api/status'
import type { AdmissionAttributes } from '@shiplog/domain/admission'
import type { AdmissionNotes, AsyncAdmissionPlugin } from '@shiplog/domain/write/async-admission'
import type { GatewayRequest } from '../request/gateway-request.ts'
import { askedWrite, type AskedOptions } from './asked-write.ts'

/** A request, and those who have a say in it. */
export interface AskedRequest {
  readonly request: GatewayRequest
  readonly asyncAdmission: readonly AsyncAdmissionPlugin[]
}

interface Between {
  /** After each run. */
  readonly after: () => void
  /** What runs before the second run, as it did before the first: upstream runs its whole chain twice. */
  readonly again: () => void
}

/** One after another; once more when one of them asks for it. */
export async function askToMutate(
  { request, asyncAdmission }: AskedRequest,
  attributes: AdmissionAttributes,
  notes: AdmissionNotes,
  options: AskedOptions,
  { after, again }: Between,
): Promise<void> {
  const memory = new Map<string, unknown>()
  for (const isSecond of [false, true]) {
    let isWanted = false
    const reinvocation = { isSecond, memory, request: () => void (isWanted = true) }
    const asked = askedWrite(request, attributes, reinvocation, notes, options)
    await toldOf(request, notes, async () => {
      for (const plugin of asyncAdmission) await plugin.mutate?.(asked)
    })
    after()
    if (isSecond || !isWanted) return
    again()
  }
}

/** Who comes after one that refuses is not asked. Gives all warnings. */
export async function askToValidate(
  { request, asyncAdmission }: AskedRequest,
  attributes: AdmissionAttributes,
  notes: AdmissionNotes,
  options: AskedOptions,
): Promise<readonly string[]> {
  const asked = askedWrite(request, attributes, { isSecond: false, memory: new Map(), request: () => undefined }, notes, options)
  await toldOf(request, notes, async () => {
    for (const plugin of asyncAdmission) notes.warnings.push(...((await plugin.validate?.(asked)) ?? []))
  })
  return notes.warnings
}

/** What was noted is told whether the write is refused or not. */
async function toldOf(request: GatewayRequest, notes: AdmissionNotes, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (isApiError(error)) error.warnings = [...notes.warnings, ...error.warnings]
    throw error
  } finally {
    for (const [key, value] of notes.annotations) request.annotate?.(key, value)
  }
}
