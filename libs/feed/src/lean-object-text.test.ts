import { describe, expect, test } from 'vitest'
import { leanObjectText } from './lean-object-text.ts'

const entries = [
  {
    manager: 'kubectl "apply" \\\\',
    fieldsV1: { 'f:spec': { 'k:{"name":"]}\\""}': { '.': {}, 'f:args': [[]] } } },
  },
]
const textOf = (metadata: object, rest: object = {}): string =>
  JSON.stringify({ kind: 'Pod', apiVersion: 'v1', metadata, ...rest })

describe('leanObjectText', () => {
  test.each([
    ['first', { managedFields: entries, name: 'web' }],
    ['between others', { name: 'web', managedFields: entries, uid: 'u' }],
    ['last', { name: 'web', labels: { a: '}],"managedFields":[' }, managedFields: entries }],
    ['alone', { managedFields: entries }],
    ['empty', { name: 'web', managedFields: [], uid: 'u' }],
  ])('cuts out managedFields that stand %s, and nothing else', (_place, metadata) => {
    const { managedFields: _, ...lean } = metadata as Record<string, unknown>
    const rest = { spec: { containers: [{ name: 'managedFields' }] }, status: {} }
    expect(leanObjectText(textOf(metadata, rest))).toBe(textOf(lean, rest))
  })

  test.each([
    ['no object has any', textOf({ name: 'web' }, { spec: {} })],
    ['it only stands in a string', textOf({ annotations: { last: JSON.stringify({ managedFields: entries }) } })],
    ['it is a label', textOf({ labels: { managedFields: 'yes' } })],
    ['it is deeper in metadata', textOf({ ownerReferences: [{ managedFields: entries }] })],
    ['it is of the template', textOf({ name: 'web' }, { template: { metadata: { managedFields: entries } } })],
    ['there is no metadata', JSON.stringify({ managedFields: entries })],
    ['it stands before metadata', JSON.stringify({ managedFields: entries, metadata: { name: 'web' } })],
  ])('leaves the text as it is when %s', (_case, text) => {
    expect(leanObjectText(text)).toBe(text)
  })
})
