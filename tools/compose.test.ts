// The compose file against what it starts, as far as that can be known without a container engine: every variable that it
// sets is one that the program reads, every folder of secrets is one that `shiplog pki` writes, every bundle is built.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CORE_SCHEMA, load, mergeTag } from 'js-yaml'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

interface ComposeService {
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly profiles?: readonly string[]
}
const { services, volumes } = load(read('docker-compose.yml'), { schema: CORE_SCHEMA.withTags(mergeTag) }) as {
  readonly services: Readonly<Record<string, ComposeService>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const mainOf = (service: ComposeService): string | undefined =>
  /^\/app\/(.+)\.mjs$/.exec(service.command?.[1] ?? '')?.[1]
const ours = Object.entries(services).filter(([, service]) => mainOf(service) && mainOf(service) !== 'shiplog')

test('two gateways, schedulers and controller managers, three agents, a projector, and three nats-servers on request', () => {
  const count = (main: string): number => ours.filter(([, service]) => mainOf(service) === main).length
  expect(
    ['api-gateway', 'scheduler', 'controllers', 'node-agent', 'projector'].map((main) => [main, count(main)]),
  ).toEqual([
    ['api-gateway', 2],
    ['scheduler', 2],
    ['controllers', 2],
    ['node-agent', 3],
    ['projector', 1],
  ])
  const nats = Object.entries(services).filter(([name]) => name.startsWith('nats-'))
  expect(nats.map(([name, { profiles }]) => [name, profiles?.[0]])).toEqual([
    ['nats-1', undefined],
    ['nats-2', 'ha'],
    ['nats-3', 'ha'],
  ])
})

test('whatever is named exists', () => {
  for (const [name, service] of Object.entries(services)) {
    for (const other of Object.keys(service.depends_on ?? {})) expect(services, `${name} waits`).toHaveProperty(other)
    for (const volume of service.volumes ?? []) {
      const source = volume.split(':')[0]!
      if (!source.startsWith('.')) expect(volumes, `${name} mounts`).toHaveProperty(source)
      else if (!source.startsWith('./.shiplog/')) expect(existsSync(join(root, source)), source).toBe(true)
    }
  }
  for (const [, service] of ours) expect(existsSync(join(root, 'services', mainOf(service)!, 'src/main.ts'))).toBe(true)
})

test('every variable that is set is read by that program or by what it shares with the others', () => {
  const shared = [
    'libs/runtime/src/run.ts',
    'libs/events/src/jetstream/log-from-environment.ts',
    'libs/events/src/jetstream/nats-from-environment.ts',
    'libs/api-client/src/connection-from-environment.ts',
    'libs/encryption/src/encryption-from-environment.ts',
  ].map(read)
  for (const [name, service] of ours) {
    const text = [read(`services/${mainOf(service)}/src/main.ts`), ...shared].join('\n')
    for (const variable of Object.keys(service.environment ?? {})) {
      expect(text.includes(`'${variable}'`), `${name}: ${variable}`).toBe(true)
    }
  }
  const all = [...new Set(ours.map(([, service]) => read(`services/${mainOf(service)}/src/main.ts`))), ...shared].join(
    '\n',
  )
  for (const [, variable] of read('infra/Dockerfile').matchAll(/^\s*(?:ENV )?(SHIPLOG_\w+)=/gm)) {
    expect(all.includes(`'${variable}'`), variable).toBe(true)
  }
})

test('an agent is given its own credentials for the bus, and no way to a gateway', () => {
  const agents = ours.filter(([, service]) => mainOf(service) === 'node-agent')
  for (const [name, { environment, volumes: mounted }] of agents) {
    expect(environment).toMatchObject({ SHIPLOG_NODE_NAMES: name })
    expect(Object.keys(environment!).filter((variable) => variable.includes('API'))).toEqual([])
    expect(mounted).toEqual([`./.shiplog/apart/${name}:/etc/shiplog:ro`])
  }
  expect(services['pki']!.command).toEqual(expect.arrayContaining(agents.map(([name]) => name)))
})

test('the page about it tells every variable', () => {
  const page = read('docs/running-services-apart.md')
  const sources = [
    'libs/runtime/src/run.ts',
    'libs/events/src/jetstream/log-from-environment.ts',
    'libs/events/src/jetstream/nats-from-environment.ts',
    'libs/api-client/src/connection-from-environment.ts',
    'libs/encryption/src/encryption-from-environment.ts',
    ...readdirSync(join(root, 'services'))
      .map((service) => `services/${service}/src/main.ts`)
      .filter((source) => existsSync(join(root, source))),
  ]
  for (const source of sources) {
    for (const [, variable] of read(source).matchAll(/'(SHIPLOG_\w+)'/g)) {
      expect(page.includes(`\`${variable}\``), `${source}: ${variable}`).toBe(true)
    }
  }
})
