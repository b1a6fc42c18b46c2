import { expect, test } from 'vitest'
import { yamlPieces, yamlWriter } from './yaml-pieces.ts'

const entries = [{ metadata: { name: 'a', labels: {} }, data: { z: 'x: y', a: 'two\nlines\n' } }, { metadata: { name: 'b' } }]

test.each([['of two', entries], ['of none', []]])('a list %s in pieces is the list that is written at once', async (_, items) => {
  const dump = await yamlWriter()
  const fields = { kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '7' } }
  const text = Buffer.concat([...yamlPieces(dump, { fields, key: 'items', entries: items })]).toString()
  expect(text).toBe(dump({ ...fields, items }))
})

test('an entry is made when it is asked for', async () => {
  let made = 0
  function* slowly() {
    for (const entry of entries) {
      made++
      yield entry
    }
  }
  const pieces = yamlPieces(await yamlWriter(), { fields: { apiVersion: 'v1' }, key: 'items', entries: slowly() })
  pieces.next()
  expect(made).toBe(0)
  pieces.next()
  expect(made).toBe(1)
})
