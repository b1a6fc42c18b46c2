import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseFieldFact } from './field-facts.ts'
import { generate } from './generate.ts'

const checkedIn = (name: string): string =>
  readFileSync(new URL(`../../libs/api/src/generated/${name}`, import.meta.url), 'utf8')

test('the checked-in description is what the generator writes', async () => {
  const generated = await generate()
  expect(generated.kinds === checkedIn('kinds.json'), 'run npm run generate').toBe(true)
  expect(generated.descriptions === checkedIn('descriptions.json'), 'run npm run generate').toBe(true)
  for (const [name, text] of generated.types) {
    expect(text === checkedIn(`types/${name}`), `types/${name}: run npm run generate`).toBe(true)
  }
})

test('a field fact reads its number, place, merge rules and default', () => {
  expect(
    parseFieldFact('2.5 drop list:map(name,port) patch:merge,retainKeys(name) enum:Protocol default:"a b"'),
  ).toEqual({
    number: 5,
    inlined: [2],
    omitZero: true,
    listType: 'map',
    listMapKeys: ['name', 'port'],
    patchStrategy: 'merge,retainKeys',
    patchMergeKey: 'name',
    enumName: 'Protocol',
    default: 'a b',
  })
  expect(parseFieldFact('-')).toEqual({})
  expect(() => parseFieldFact('1 typo')).toThrow('unknown field fact')
})
