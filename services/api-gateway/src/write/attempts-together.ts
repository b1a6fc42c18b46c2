// One attempt to change several objects of one stream together: each goes through the stages of its write, and all are appended
// in one atomic group, or none is.
import { ApiError, notFound } from '@shiplog/api/status'
import { attributesOf, mutateUpdate, settleUpdateSteps } from '@shiplog/domain/write/stages'
import { settledBy } from '@shiplog/domain/write/long-check'
import { checkVersion } from '@shiplog/domain/write/preconditions'
import { appendTogether, type DecidedEvent } from './append.ts'
import { annotate, type AttemptDeps, beforeOf, eventOf, fenceOf, subjectOf, type Target, writeOf } from './attempts.ts'
import type { DecisionBasis } from './decision-basis.ts'
import { alreadyStamped, stampFor } from './field-ownership.ts'
import type { Mutation } from './mutation.ts'
import type { Attempted } from './optimistic.ts'

export interface Change {
  readonly target: Target
  readonly mutate: Mutation
}

/** The sequence from which on all of it is visible; 0 when there was nothing to change. */
export async function attemptTogether(
  deps: AttemptDeps,
  changes: readonly Change[],
  basis: DecisionBasis,
): Promise<Attempted<number> | 'raced'> {
  const events: DecidedEvent[] = []
  let isMoved = false
  for (const change of changes) {
    const event = await decided(deps, change, basis)
    if (event === 'moved') isMoved = true
    else if (event !== undefined) events.push(event)
  }
  if (isMoved) return 'raced'
  if (events.length === 0) return { stored: false, result: 0 }
  const sequence = await appendTogether(deps.streams, changes[0]!.target.stream, events)
  return sequence === undefined ? 'raced' : { stored: true, result: sequence }
}

async function decided(deps: AttemptDeps, { target, mutate }: Change, basis: DecisionBasis): Promise<DecidedEvent | 'moved' | undefined> {
  const { request, kind, groupResource } = target
  const { resource, namespace, name } = request
  const version = basis.current(groupResource, namespace, name)
  if (!version) throw new ApiError(notFound(resource, name))
  const { before, isOutdated } = beforeOf(request, version)
  const write = { ...writeOf(deps, target, basis), isOutdated }
  const { draft, managed } = mutate(before, kind)
  checkVersion(resource, kind, before, draft)
  mutateUpdate(write, draft, before, managed ? alreadyStamped : stampFor(request, before, write.context.nowMs))
  annotate(write, request, attributesOf(write, 'UPDATE', name, draft, before))
  const settled = await settledBy(settleUpdateSteps(write, draft, before), deps.makeLongCheck)
  if (!settled.event || write.dryRun) return undefined
  const fence = fenceOf(request, name, basis)
  const storing = { subject: subjectOf(resource, namespace, name), decided: settled, expected: version, fence }
  return eventOf(target, basis, storing) ?? 'moved'
}
