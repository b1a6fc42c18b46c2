import { describe, expect, test } from 'vitest'
import { apiServerFlags, readApiServerOptions } from './api-server-flags.ts'
import { helpText, parseFlags } from './flags.ts'

const read = (path: string): string => `text of ${path}`
const options = (...args: readonly string[]) => readApiServerOptions(parseFlags(apiServerFlags, args), read)

describe('flags', () => {
  test('are taken in all forms that upstream takes', () => {
    const flags = parseFlags(apiServerFlags, [
      ...['--secure-port=1', '-v', '4', '--anonymous-auth', '--authorization-mode', 'Node,RBAC', '--authorization_mode=AlwaysDeny'],
      '--allow-privileged=false',
    ])
    expect(flags.value('secure-port')).toBe('1')
    expect(flags.value('v')).toBe('4')
    expect(flags.list('authorization-mode')).toEqual(['Node', 'RBAC', 'AlwaysDeny'])
    expect([flags.isOn('anonymous-auth'), flags.isOn('allow-privileged'), flags.isOn('version')]).toEqual([true, false, undefined])
  })

  test('that are unknown are told, with or without a value, and hide no other', () => {
    const flags = parseFlags(apiServerFlags, ['--bogus', '--other', 'value', '--third=x', '--secure-port', '5'])
    expect(flags.unknown).toEqual(['bogus', 'other', 'third'])
    expect(flags.value('secure-port')).toBe('5')
  })

  test.each([
    [['serve'], /only flags are taken/],
    [['--secure-port'], /needs an argument/],
    [['--anonymous-auth=perhaps'], /is on or off/],
  ])('%j cannot be understood', (args, why) => {
    expect(() => parseFlags(apiServerFlags, args).isOn('anonymous-auth')).toThrow(why)
  })

  test('stand in the help one a line, as launchers look for them', () => {
    const help = helpText('kube-apiserver', apiServerFlags)
    for (const name of Object.keys(apiServerFlags)) expect(help).toMatch(new RegExp(`^\\s*--${name}\\b`, 'm'))
    expect(help).not.toMatch(/^\s*--insecure-port\b/m)
  })
})

describe('the options of kube-apiserver', () => {
  test('have upstream\'s defaults', () => {
    expect(options()).toMatchObject({ host: '0.0.0.0', port: 6443, modes: ['AlwaysAllow'], anonymousAuth: true })
    expect(options().serviceAccounts).toBeUndefined()
  })

  test('name files whose text is read', () => {
    const { clientCa, serviceAccounts } = options(
      ...['--client-ca-file=ca.crt', '--service-account-issuer=https://here/', '--service-account-key-file=a.pub'],
      ...['--service-account-signing-key-file=a.key', '--service-account-key-file=b.pub'],
    )
    expect(clientCa).toBe('text of ca.crt')
    expect(serviceAccounts).toMatchObject({
      issuers: ['https://here/'],
      signingKey: 'text of a.key',
      publicKeys: 'text of a.pub\ntext of b.pub',
    })
  })

  test.each([
    [['--authorization-mode=Webhook'], /Webhook is not there/],
    [['--secure-port=abc'], /is no port/],
    [['--service-cluster-ip-range=10.0.0.0/31'], /at least/],
  ])('%j is refused in a sentence', (args, why) => {
    expect(() => options(...args)).toThrow(why)
  })
})
