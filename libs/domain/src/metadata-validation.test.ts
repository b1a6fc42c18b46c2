import { describe, expect, test } from 'vitest'
import { validateObjectMeta, validateObjectMetaUpdate } from './metadata-validation.ts'
import { pathSegment } from './names.ts'
import { object } from './testing/objects.ts'

const causes = (metadata: Record<string, unknown>, namespaced = true) =>
  validateObjectMeta(object('v1', 'ConfigMap', { metadata }), { namespaced }).map(
    (cause) => `${cause.field}: ${cause.message}`,
  )

describe('metadata of a new object', () => {
  test('is fine with usual names, labels and annotations', () => {
    expect(
      causes({ labels: { 'app.kubernetes.io/name': 'Web_1' }, annotations: { 'A/b': 'anything at all' } }),
    ).toEqual([])
  })

  test.each([
    [
      { name: 'Web' },
      `metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')`,
    ],
    [{ name: '' }, 'metadata.name: Required value: name or generateName is required'],
    [
      { name: 'a'.repeat(254) },
      `metadata.name: Invalid value: "${'a'.repeat(254)}": must be no more than 253 characters`,
    ],
    [
      { labels: { app: '-x' } },
      `metadata.labels: Invalid value: "-x": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    ],
    [
      { labels: { app: 'x'.repeat(64) } },
      `metadata.labels: Invalid value: "${'x'.repeat(64)}": must be no more than 63 bytes`,
    ],
    [
      { annotations: { big: 'x'.repeat(256 * 1024) } },
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    ],
    [
      { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p' }] },
      'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ],
    [
      { finalizers: ['orphan', 'foregroundDeletion'] },
      'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
    ],
  ])('case %#', (metadata, expected) => {
    expect(causes(metadata)).toEqual([expected])
  })

  test('has no namespace when the kind has none', () => {
    expect(causes({}, false)).toEqual(['metadata.namespace: Forbidden: not allowed on this type'])
  })

  test('accepts a generateName that ends in a dash', () => {
    expect(causes({ generateName: 'web-' })).toEqual([])
    expect(causes({ generateName: 'Web-' })[0]).toContain('metadata.generateName: Invalid value: "Web-"')
  })

  test('follows the name rule of the kind', () => {
    const role = object('rbac.authorization.k8s.io/v1', 'Role', { metadata: { name: 'system:a%b' } })
    expect(validateObjectMeta(role, { namespaced: true, validateName: pathSegment })).toEqual([
      {
        reason: 'FieldValueInvalid',
        field: 'metadata.name',
        message: `Invalid value: "system:a%b": may not contain '%'`,
      },
    ])
  })
})

describe('metadata of an update', () => {
  test('may not add finalizers to an object that is being deleted', () => {
    const before = object('v1', 'ConfigMap', {
      metadata: { deletionTimestamp: '2026-01-01T00:00:00Z', finalizers: ['a/b'] },
    })
    const next = structuredClone(before)
    next.metadata.finalizers = ['a/b', 'c/d']
    expect(validateObjectMetaUpdate(next, before)[0]?.message).toBe(
      'Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"c/d"}',
    )
  })

  test('may not change the uid', () => {
    const before = object('v1', 'ConfigMap')
    const next = object('v1', 'ConfigMap', { metadata: { uid: 'other' } })
    expect(validateObjectMetaUpdate(next, before)).toEqual([
      { reason: 'FieldValueInvalid', field: 'metadata.uid', message: 'Invalid value: "other": field is immutable' },
    ])
  })
})
