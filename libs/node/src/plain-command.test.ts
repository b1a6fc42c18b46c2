import { describe, expect, test } from 'vitest'
import { plainEnd } from './plain-command.ts'

const forever = Number.POSITIVE_INFINITY
const busybox = 'registry.k8s.io/e2e-test-images/busybox:1.37.0-1'
const of = (...commandLine: string[]): string => {
  const end = plainEnd(busybox, commandLine)
  return end ? `${end.exitCode} after ${end.afterMs}` : 'unknown'
}

describe('a command line that says what it comes to', () => {
  test.each([
    [['true'], '0 after 0'],
    [['/bin/false'], '1 after 0'],
    [['/usr/bin/sleep', '1.5'], '0 after 1500'],
    [['sleep', '1m', '2'], '0 after 62000'],
    [['sleep', 'infinity'], `0 after ${forever}`],
    [['tail', '-f', '/dev/null'], `0 after ${forever}`],
    [['echo', 'done'], '0 after 0'],
    [['/bin/sh', '-c', 'exit 1'], '1 after 0'],
    [['sh', '-c', 'exit 300'], '44 after 0'],
    [['bash', '-ec', "echo 'a; b' && sleep 5; exit 3"], '3 after 5000'],
    [['sh', '-c', 'sleep 1 ; false || sleep 2\n\ntrue && exec sleep 4; exit 9\n'], '0 after 7000'],
    [['sh', '-c', 'false && sleep 9; exit'], '1 after 0'],
    [['sh', '-c', 'true || no-such-program'], '0 after 0'],
    [['sh', '-c', ''], '0 after 0'],
  ])('%j', (commandLine, end) => {
    expect(of(...commandLine)).toBe(end)
  })
})

describe('nothing is guessed', () => {
  test.each([
    [[]],
    [['nginx', '-g', 'daemon off;']],
    [['sleep']],
    [['sleep', 'long']],
    [['sleep', '$(SECONDS)']],
    [['sh']],
    [['sh', 'script.sh']],
    [['sh', '-c', 'exit $CODE']],
    [['sh', '-c', 'sleep 5 &']],
    [['sh', '-c', 'true | false']],
    [['sh', '-c', 'echo a > /b']],
    [['sh', '-c', 'if true; then exit 1; fi']],
    [['sh', '-c', 'sleep 1;; true']],
    [['sh', '-c', 'true &&']],
    [['sh', '-c', "sleep '1'2"]],
    [['sh', '-c', 'sleep 1', 'too; long'.repeat(200)].slice(0, 2).concat('sleep 1; '.repeat(200))],
    [['sh', '-c', 'exit -1']],
  ])('%j', (commandLine) => {
    expect(of(...commandLine)).toBe('unknown')
  })
})

test('the pause image runs until it is stopped, unless it is given a command', () => {
  expect(plainEnd('registry.k8s.io/pause:3.10', [])).toEqual({ afterMs: forever, exitCode: 0 })
  expect(plainEnd('pause@sha256:ab', [])).toEqual({ afterMs: forever, exitCode: 0 })
  expect(plainEnd('pause', ['false'])).toEqual({ afterMs: 0, exitCode: 1 })
  expect(plainEnd('example.com/pause/menu:1', [])).toBeUndefined()
})
