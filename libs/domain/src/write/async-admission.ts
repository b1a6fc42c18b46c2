// Admission that waits for others: webhooks, and policies that ask somebody. It runs outside every lock, before the decision
// (mutate) and after it (validate); what it took into account is checked again by the append's compare-and-set.
import type { JsonObject, KubeObject } from '@shiplog/api/kube-object'
import type { ResourceInfo } from '@shiplog/api/schema/schema'
import type { AdmissionAttributes } from '../admission.ts'
import type { ServedKind } from '../catalogue/served-kind.ts'

/** What is known of a write before its object is. */
export interface AdmissionAim extends Omit<AdmissionAttributes, 'object' | 'before' | 'name'> {
  /** The kind in the version that the client named. */
  readonly kind: ServedKind
}

/** A kind as those see an object who are asked about it. */
export interface ShownForm {
  readonly group: string
  readonly version: string
  readonly kind: string
  /** The object in this form; parts of it may be shared with what it was made from. */
  show(object: KubeObject): JsonObject | Promise<JsonObject>
  /** Makes the draft what somebody made of the form. Throws ApiError. */
  put(draft: KubeObject, shown: JsonObject): void | Promise<void>
}

/** A write, as it is told to those who are asked about it. */
export interface AskedWrite extends AdmissionAttributes, AdmissionAim {
  /** The options of the request (`CreateOptions`, …); undefined where it has none. */
  readonly options: JsonObject | undefined
  /** How the object looks in a resource that is this one or its equivalent in another version. */
  form(resource: ResourceInfo): ShownForm
  readonly reinvocation: Reinvocation
  readonly notes: AdmissionNotes
}

/**
 * Who changes the draft may want those before him to see it again: then all of mutating admission runs a second time, and no
 * third.
 */
export interface Reinvocation {
  readonly isSecond: boolean
  request(): void
  /** What a plugin keeps from the first run for the second, by its name. */
  readonly memory: Map<string, unknown>
}

/** What somebody changed: kept with the event. */
export interface AdmissionChange {
  /** `MutatingWebhookConfiguration/sidecars`. */
  readonly by: string
  /** Within it: the name of the webhook. */
  readonly name: string
  /** JSON pointers of what was changed. */
  readonly paths: readonly string[]
}

/** What is told beside the answer. */
export interface AdmissionNotes {
  /** For `Warning` headers. */
  readonly warnings: string[]
  /** For the audit log. */
  readonly annotations: Map<string, string>
  readonly changes: AdmissionChange[]
}

export const createAdmissionNotes = (): AdmissionNotes => ({ warnings: [], annotations: new Map(), changes: [] })

export interface AsyncAdmissionPlugin {
  readonly name: string
  /** Judges here and now: whoever else writes the same object may wait for it. */
  readonly inPlace?: boolean
  /** Whether it has a say in such a write; it waits for nobody. */
  handles(aim: AdmissionAim): boolean
  /** Changes the draft, or refuses by throwing ApiError. May run several times for one write. */
  mutate?(asked: AskedWrite): Promise<void>
  /** Refuses by throwing ApiError; resolves with warnings for the client. */
  validate?(asked: AskedWrite): Promise<readonly string[]>
}

/** Longest text that is kept with an event. */
const changesBytesMax = 2_048

/** The changes as the event's header has them; what does not fit is left out, and that is said. */
export function changesText(changes: readonly AdmissionChange[]): string | undefined {
  if (changes.length === 0) return undefined
  const kept: (AdmissionChange & { readonly more?: number })[] = []
  let left = changesBytesMax
  for (const { paths, ...who } of changes) {
    left -= JSON.stringify(who).length
    if (left < 0) break
    const fitting: string[] = []
    for (const path of paths) if ((left -= path.length + 3) >= 0) fitting.push(path)
    const more = paths.length - fitting.length
    kept.push({ ...who, paths: fitting, ...(more > 0 ? { more } : {}) })
  }
  return JSON.stringify(kept)
}

export const readChanges = (text: string): readonly (AdmissionChange & { readonly more?: number })[] => {
  try {
    const changes: unknown = JSON.parse(text)
    return Array.isArray(changes) ? (changes as AdmissionChange[]) : []
  } catch {
    return []
  }
}
