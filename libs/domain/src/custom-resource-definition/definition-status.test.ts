import type { CustomResourceDefinition } from '@shiplog/api/generated/types/apiextensions-v1'
import { describe, expect, test } from 'vitest'
import { definitionOf, established } from '../testing/custom-resource-definitions.ts'
import { type AcceptedNames, nextStatus } from './definition-status.ts'

const nowMs = Date.parse('2026-01-01T00:00:00Z')

const namesOf = (crd: CustomResourceDefinition): AcceptedNames => ({
  name: crd.metadata.name,
  group: crd.spec.group,
  accepted: crd.status.acceptedNames,
})

const conditions = (crd: CustomResourceDefinition, ...others: CustomResourceDefinition[]): Record<string, string> =>
  Object.fromEntries(
    (nextStatus(crd, [crd, ...others].map(namesOf), nowMs) ?? crd.status).conditions!.map(
      ({ type, status, reason, message }) => [type, `${status} ${reason}: ${message}`],
    ),
  )

describe('a CustomResourceDefinition', () => {
  test('gets its names, and is established by the same write', () => {
    const crd = definitionOf()
    const status = nextStatus(crd, [], nowMs)!
    expect(status.acceptedNames).toEqual(crd.spec.names)
    expect(status.conditions).toEqual([
      {
        type: 'NamesAccepted',
        status: 'True',
        lastTransitionTime: '2026-01-01T00:00:00Z',
        reason: 'NoConflicts',
        message: 'no conflicts found',
      },
      {
        type: 'Established',
        status: 'True',
        lastTransitionTime: '2026-01-01T00:00:00Z',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      },
    ])
    expect(nextStatus({ ...crd, status }, [], nowMs + 5_000)).toBeUndefined()
  })

  test.each([
    ['plural', 'PluralConflict', { plural: 'widgets' }],
    ['singular', 'SingularConflict', { singular: 'widget' }],
    ['kind', 'KindConflict', { kind: 'Widget' }],
    ['listKind', 'ListKindConflict', { listKind: 'WidgetList' }],
    ['shortNames', 'ShortNamesConflict', { shortNames: ['wd'] }],
  ])('does not get a %s that another of its group has', (field, reason, names) => {
    const first = established(definitionOf({ shortNames: ['wd'] }))
    const crd = definitionOf({ kind: 'Gadget' })
    Object.assign(crd.spec.names, names)
    const taken = [Object.values(names)[0]].flat()[0]
    expect(conditions(crd, first)).toEqual({
      NamesAccepted: `False ${reason}: "${taken}" is already in use`,
      Established: 'False NotAccepted: not all names are accepted',
    })
    const { acceptedNames } = nextStatus(crd, [namesOf(first)], nowMs)!
    const wanted = field === 'plural' || field === 'kind' ? '' : undefined
    expect(acceptedNames[field as 'plural']).toBe(wanted)
    if (field !== 'plural') expect(acceptedNames.plural).toBe('gadgets')
  })

  test('names of other groups are no matter', () => {
    const first = established(definitionOf({ group: 'other.com' }))
    expect(conditions(definitionOf(), first)['Established']).toMatch(/^True/)
  })

  test('gets a name that has become free, and keeps what it was given when it asks for another that is taken', () => {
    const first = established(definitionOf({ shortNames: ['wd'] }))
    const second = established(definitionOf({ kind: 'Gadget', shortNames: ['gd'] }))
    second.spec.names.shortNames = ['wd']
    expect(conditions(second, first)).toMatchObject({
      NamesAccepted: 'False ShortNamesConflict: "wd" is already in use',
      Established: expect.stringMatching(/^True/),
    })
    const status = nextStatus(second, [namesOf(first)], nowMs)!
    expect(status.acceptedNames.shortNames).toEqual(['gd'])
    expect(nextStatus({ ...second, status }, [], nowMs)!.acceptedNames.shortNames).toEqual(['wd'])
  })

  test('of several short names that are taken all are named', () => {
    const first = established(definitionOf({ shortNames: ['a', 'b'] }))
    expect(conditions(definitionOf({ kind: 'Gadget', shortNames: ['a', 'b'] }), first)['NamesAccepted']).toBe(
      'False ShortNamesConflict: ["a" is already in use, "b" is already in use]',
    )
  })

  test.each([
    [undefined, 'False MissingAnnotation'],
    ['unapproved, it is mine', 'False UnapprovedAnnotation: not approved: "unapproved, it is mine"'],
    ['https://example.com/1', 'True ApprovedAnnotation: approved in https://example.com/1'],
    ['yes', 'False InvalidAnnotation'],
  ])('of a group of the community with the annotation %s', (annotation, expected) => {
    const crd = definitionOf({ group: 'x.k8s.io' })
    if (annotation) crd.metadata.annotations = { 'api-approved.kubernetes.io': annotation }
    expect(conditions(crd)['KubernetesAPIApprovalPolicyConformant']).toContain(expected)
  })
})
