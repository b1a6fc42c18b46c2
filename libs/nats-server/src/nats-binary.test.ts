// What the tool reads from the system: versions and package sources.
import { expect, test } from 'vitest'
import { findSource, isNewEnough, parseDeb822, parseOneLine } from './nats-binary.ts'

test('a server is new enough from 2.12 on', () => {
  expect(['2.12.0', '2.12.0-RC.1', '2.15.1', '3.0.0'].map((version) => isNewEnough(version))).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect(['2.9.10', '2.11.99', '1.99.0', ''].map((version) => isNewEnough(version))).toEqual([
    false,
    false,
    false,
    false,
  ])
})

test('the mirror is read from both forms of the configuration of apt', () => {
  const old =
    '# deb http://commented.invalid/debian bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.invalid/debian bookworm main contrib # x\n'
  expect(findSource(parseOneLine(old), 'bookworm')).toEqual({
    uri: 'http://mirror.invalid/debian',
    suite: 'bookworm',
    components: ['main', 'contrib'],
    signedBy: '/k.gpg',
  })
  const stanzas = `Types: deb
# a comment
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/a.gpg

Types: deb
URIs: http://other.invalid/x
Suites: nodistro
Components: main
`
  expect(findSource(parseDeb822(stanzas), 'bookworm')).toEqual({
    uri: 'http://mirror.invalid/debian',
    suite: 'bookworm',
    components: ['main'],
    signedBy: '/usr/share/keyrings/a.gpg',
  })
  expect(findSource(parseDeb822(stanzas), 'trixie')).toBeUndefined()
})
