import { describe, expect, test } from 'vitest'
import { changeLine, fieldChanges, managerOf, withoutSecrets } from './field-changes.ts'

describe('field changes', () => {
  test('elements of lists are told by their names, wherever they stand', () => {
    const before = {
      spec: {
        containers: [
          { name: 'a', image: '1' },
          { name: 'b', image: '1' },
        ],
      },
    }
    const after = { spec: { containers: [{ name: 'b', image: '2' }, { name: 'a', image: '1' }, { name: 'c' }] } }
    expect(fieldChanges(before, after).map(changeLine)).toEqual([
      '~ spec.containers[b].image: 1 → 2',
      '+ spec.containers[c].name: c',
    ])
  })

  test('keys with dots stand in brackets, and lists of plain values change as a whole', () => {
    const before = { metadata: { labels: { 'a.b/c': '1' } }, args: ['x'] }
    const after = { metadata: { labels: { 'a.b/c': '2' } }, args: ['x', 'y z'] }
    expect(fieldChanges(before, after).map(changeLine)).toEqual([
      '~ metadata.labels[a.b/c]: 1 → 2',
      '~ args: ["x"] → ["x","y z"]',
    ])
  })

  test('an empty object that comes or goes is a change, an equal one is none', () => {
    expect(fieldChanges({ spec: {} }, { spec: {}, status: {} }).map(changeLine)).toEqual(['+ status: {}'])
    expect(fieldChanges({ spec: { a: [{ x: 1 }] } }, { spec: { a: [{ x: 1 }] } })).toEqual([])
  })

  test('a type that changes is told', () => {
    expect(fieldChanges({ a: { b: 1 } }, { a: [1] })).toEqual([{ path: 'a', from: { b: 1 }, to: [1] }])
  })

  test('values of Secrets are not shown', () => {
    const changes = fieldChanges({ data: { a: 'c2VjcmV0' } }, { data: { a: 'b3RoZXI=', b: 'eA==' }, type: 'Opaque' })
    const text = JSON.stringify(withoutSecrets('Secret', changes))
    expect(text).not.toMatch(/c2VjcmV0|b3RoZXI=|eA==/)
    expect(text).toContain('Opaque')
  })

  test('the manager is the one whose entry is new', () => {
    const entry = (manager: string, time: string): object => ({ manager, operation: 'Update', time })
    const before = { metadata: { managedFields: [entry('kubectl', '1'), entry('other', '2')] } }
    const after = { metadata: { managedFields: [entry('kubectl', '3'), entry('other', '2')] } }
    expect(managerOf(before, after)).toBe('kubectl')
    expect(managerOf(after, after)).toBeUndefined()
  })
})
