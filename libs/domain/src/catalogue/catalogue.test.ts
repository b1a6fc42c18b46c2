import { describe, expect, test } from 'vitest'
import { definitionOf, established, storedAt } from '../testing/custom-resource-definitions.ts'
import { builtInCatalogue, withDefinitions } from './catalogue.ts'

const builtIn = builtInCatalogue()
const widgets = established(definitionOf({ shortNames: ['wd'] }))

describe('the catalogue', () => {
  test('of no definitions is that of the build', () => {
    expect(withDefinitions(builtIn, [])).toBe(builtIn)
  })

  test('has the resource of a definition in each version that is served, and finds it by every look-up', () => {
    const versions = ['v1beta1', 'v1', 'v2'].map((name) => ({ name, served: name !== 'v2', storage: name === 'v2' }))
    const catalogue = withDefinitions(builtIn, [storedAt(5, established(definitionOf({ versions })))])
    expect(catalogue.generation).toBe(1)
    expect(catalogue.resources.slice(builtIn.resources.length).map(({ version }) => version)).toEqual(['v1', 'v1beta1'])
    const found = catalogue.resource('example.com', 'v1beta1', 'widgets')!
    expect(catalogue.byKind('example.com', 'v1beta1', 'Widget')).toBe(found)
    expect(catalogue.resource('example.com', 'v2', 'widgets')).toBeUndefined()
    expect(catalogue.storage('widgets.example.com')!.version).toBe('v2')
    expect(catalogue.kind(found).info).toBe(catalogue.storage('widgets.example.com'))
    expect(catalogue.resource('', 'v1', 'pods')).toBe(builtIn.resource('', 'v1', 'pods'))
  })

  test('does not have what is not established yet', () => {
    const catalogue = withDefinitions(builtIn, [storedAt(1, definitionOf())])
    expect(catalogue.storage('widgets.example.com')).toBeUndefined()
    expect(catalogue.custom.get('widgets.example.com')?.isUnsettled).toBe(true)
  })

  test('nobody takes the place of what is built in', () => {
    const pods = established(definitionOf({ group: 'apps', kind: 'Deployment' }))
    const catalogue = withDefinitions(builtIn, [storedAt(1, pods)])
    expect(catalogue.storage('deployments.apps')).toBe(builtIn.storage('deployments.apps'))
    expect(catalogue.resources).toHaveLength(builtIn.resources.length)
  })

  test('shares what did not change, and reads only what did', () => {
    const first = withDefinitions(builtIn, [storedAt(1, widgets)])
    const kind = first.kind(first.resource('example.com', 'v1', 'widgets')!)
    const unread = { name: widgets.metadata.name, sequence: 1, parse: () => expect.unreachable('it was read again') }
    const gadgets = storedAt(2, established(definitionOf({ kind: 'Gadget' })))
    const second = withDefinitions(first, [gadgets, unread])
    expect(second.generation).toBe(2)
    expect(second.kind(second.resource('example.com', 'v1', 'widgets')!)).toBe(kind)
    const third = withDefinitions(second, [gadgets])
    expect(third.storage('widgets.example.com')).toBeUndefined()
    expect(second.storage('widgets.example.com')).toBeDefined()
  })

  test('stays as it is when a definition changes in what says nothing of its objects', () => {
    const first = withDefinitions(builtIn, [storedAt(1, widgets)])
    const labelled = { ...widgets, metadata: { ...widgets.metadata, labels: { a: 'b' } } }
    const second = withDefinitions(first, [storedAt(9, labelled)])
    expect(second.generation).toBe(1)
    expect(second.resources).toBe(first.resources)
    const kind = second.kind(second.resource('example.com', 'v1', 'widgets')!)
    expect(kind.servedAsStored(2)).toBe(true)
  })

  test('shows anew what was stored before a schema changed', () => {
    const first = withDefinitions(builtIn, [storedAt(1, widgets)])
    const changed = { ...widgets, metadata: { ...widgets.metadata, generation: 2 } }
    const second = withDefinitions(first, [storedAt(9, changed)])
    expect(second.generation).toBe(2)
    const kind = second.kind(second.resource('example.com', 'v1', 'widgets')!)
    expect(kind.servedAsStored(5)).toBe(false)
    expect(kind.servedAsStored(10)).toBe(true)
  })

  test('a definition that goes takes nothing new', () => {
    const terminating = { type: 'Terminating', status: 'True' }
    const status = { ...widgets.status, conditions: [...widgets.status.conditions!, terminating] }
    const catalogue = withDefinitions(builtIn, [storedAt(1, { ...widgets, status })])
    const resource = catalogue.resource('example.com', 'v1', 'widgets')!
    expect(resource.shownVerbs).not.toContain('create')
    expect(catalogue.kind(resource).custom!.closed).toMatchObject({
      code: 403,
      message: expect.stringContaining('create not allowed while custom resource definition is terminating'),
    })
  })
})

describe('a deprecated version', () => {
  const version = (name: string, more: object) => ({ name, served: true, storage: name === 'v1', ...more })
  test.each([
    [{ deprecated: true, deprecationWarning: 'use something else' }, ['use something else']],
    [{ deprecated: true }, ['example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget']],
    [{}, []],
  ])('%o', (more, warnings) => {
    const versions = [version('v1', {}), version('v1beta1', more)]
    const catalogue = withDefinitions(builtIn, [storedAt(1, established(definitionOf({ versions })))])
    expect(catalogue.kind(catalogue.resource('example.com', 'v1beta1', 'widgets')!).custom!.warnings).toEqual(warnings)
  })
})

test('of five hundred definitions one that is new is read alone', () => {
  let reads = 0
  const counted = (sequence: number, kind: string) => {
    const stored = storedAt(sequence, established(definitionOf({ kind })))
    const parse = () => {
      reads++
      return stored.parse()
    }
    return { ...stored, parse }
  }
  const many = Array.from({ length: 500 }, (_, i) => counted(i + 1, `Kind${i}`))
  const catalogue = withDefinitions(builtIn, many)
  expect(reads).toBe(500)
  withDefinitions(catalogue, [...many, counted(999, 'Widget')])
  expect(reads).toBe(501)
})
