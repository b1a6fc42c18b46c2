import { describe, expect, test } from 'vitest'
import { compileJsonPath, JsonPathError } from './json-path.ts'

const object = {
  metadata: { name: 'a', annotations: { 'example.com/x': 'y' } },
  spec: { ports: [{ port: 80, name: 'http' }, { port: 443, name: 'https' }], zero: 0, off: false, none: null },
  status: { conditions: [{ type: 'Ready', status: 'True' }, { type: 'Synced', status: 'False' }] },
}

describe('JSONPath', () => {
  test.each([
    ['.metadata.name', ['a']],
    ['.metadata.missing.deeper', []],
    ['$.metadata.name', ['a']],
    ['.spec.zero', [0]],
    ['.spec.off', [false]],
    ['.spec.none', [null]],
    ['.spec.ports[0].port', [80]],
    ['.spec.ports[-1].port', [443]],
    ['.spec.ports[7].port', []],
    ['.spec.ports[*].name', ['http', 'https']],
    ['.spec.ports[0:1].name', ['http']],
    ['.spec.ports[0,1].port', [80, 443]],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type=='Synced')].status", ['False']],
    ['.status.conditions[?(@.type == "Absent")].status', []],
    ['.spec.ports[?(@.port>100)].name', ['https']],
    ['.spec.ports[?(@.name)].port', [80, 443]],
    ['.metadata.annotations.example\\.com/x', ['y']],
    [".metadata.annotations['example.com/x']", ['y']],
    ['..port', [80, 443]],
    ['.constructor', []],
    ['.__proto__.x', []],
  ])('%s', (path, expected) => {
    expect(compileJsonPath(path)(object)).toEqual(expected)
  })

  test.each(['.spec[', '.spec[a]', '.spec[0:1:0]', '.(x)'])('refuses %s', (path) => {
    expect(() => compileJsonPath(path)).toThrow(JsonPathError)
  })
})
