// The rules of the source tree as data: who may import whom, which folder holds which vendor package, who may touch the
// clock. `tidy.ts` applies them; `tidy.test.ts` runs it on the tree. A rule that hinders is changed here, in review.

/** Which workspaces each workspace may import. Arrows point from the product to its foundations, never back. */
export const layers: Readonly<Record<string, readonly string[]>> = {
  'libs/runtime': [],
  'libs/events': ['libs/runtime'],
  'libs/api': ['libs/events'],
  'libs/feed': ['libs/api', 'libs/events'],
  'libs/cel': ['libs/api'],
  'libs/custom-resources': ['libs/api', 'libs/cel'],
  'libs/domain': ['libs/api', 'libs/cel', 'libs/custom-resources', 'libs/events'],
  'libs/scheduling': ['libs/api', 'libs/events', 'libs/feed'],
  'libs/control-plane': ['libs/api', 'libs/domain', 'libs/events', 'libs/feed', 'libs/runtime'],
  'libs/replicas': ['libs/api', 'libs/control-plane', 'libs/runtime'],
  'libs/reconcile': ['libs/api', 'libs/events', 'libs/feed', 'libs/replicas', 'libs/runtime'],
  'libs/node': ['libs/api', 'libs/events', 'libs/runtime', 'libs/spdy'],
  'libs/spdy': ['libs/runtime'],
  'libs/api-client': ['libs/api', 'libs/events', 'libs/feed', 'libs/runtime'],
  'libs/nats-server': ['libs/events', 'libs/runtime'],
  'libs/encryption': ['libs/api', 'libs/events', 'libs/feed', 'libs/runtime'],
  'libs/read-model': ['libs/api', 'libs/events', 'libs/feed', 'libs/runtime'],
  'libs/testing': ['libs/*'],
  'services/*': ['libs/*'],
  'apps/all-in-one': ['libs/*', 'services/*'],
  'apps/cli': ['libs/*', 'services/*', 'apps/all-in-one'],
  sim: ['libs/*', 'services/*', 'apps/*'],
  // Beside upstream's control plane, which conformance provides.
  bench: ['libs/*', 'services/*', 'apps/*', 'tools', 'conformance'],
  conformance: ['libs/*', 'services/*', 'apps/*', 'tools'],
  tools: ['libs/api', 'libs/events', 'libs/nats-server', 'libs/runtime'],
}

/** What only tests may import besides: `libs/testing` is for them. */
export const testingWorkspace = 'libs/testing'

/** Folders that are functions of their arguments: no files, sockets, processes. Adapters below them are named apart. */
export const pureFolders: readonly string[] = [
  'libs/events/src',
  'libs/api/src',
  'libs/cel/src',
  'libs/custom-resources/src',
  'libs/feed/src',
  'libs/domain/src',
  'libs/scheduling/src',
]

/** The places inside pure folders that do I/O, and why. */
export const impureExceptions: Readonly<Record<string, string>> = {
  'libs/events/src/sqlite': 'the embedded adapter of the EventLog port',
  'libs/events/src/jetstream': 'the JetStream adapter of the EventLog port',
  'libs/events/src/integrity/high-water-mark.ts': 'the mark that is kept outside the log, in a file',
  'libs/events/src/integrity/guarded-log.ts': 'says where that file lies',
  'libs/api/src/schema/registry.ts': 'reads the generated description of the kinds, once',
  'libs/cel/src/regular-expression.ts': 'loads the regular expressions with the first one, so that start-up need not',
  'libs/cel/src/parse.ts': 'loads the CEL parser with the first expression, so that start-up need not',
  'libs/custom-resources/src/expressions/late.ts': 'loads the language of rules with the first rule, so that start-up need not',
  'libs/api/src/decode/decode-yaml.ts': 'loads the YAML parser with the first YAML body, so that start-up need not',
}

/** Modules of Node that do not do I/O. All others are refused in pure folders. */
export const pureNodeModules: readonly string[] = [
  'node:assert',
  'node:buffer',
  'node:crypto',
  'node:events',
  'node:util',
  'node:zlib',
]

/** Where each vendor package (or a module of Node that stands for one) may be imported: nowhere else. */
export const vendorFolders: Readonly<Record<string, readonly string[]>> = {
  '@grpc/grpc-js': ['libs/node/src/cri', 'libs/encryption/src/kms'],
  '@grpc/proto-loader': ['libs/node/src/cri', 'libs/encryption/src/kms'],
  '@marcbachmann/cel-js': ['libs/cel/src/parse.ts'],
  '@nats-io/jetstream': ['libs/events/src/jetstream'],
  '@nats-io/nats-core': ['libs/events/src/jetstream'],
  '@nats-io/transport-node': ['libs/events/src/jetstream'],
  'node:sqlite': ['libs/events/src/sqlite'],
  re2js: ['libs/cel/src/regular-expression.ts'],
  'js-yaml': ['libs/api/src', 'services/api-gateway/src/http/yaml-pieces.ts', 'services/dashboard/app'],
  fastify: ['services/api-gateway/src'],
  ws: ['services/api-gateway/src/http/web-socket.ts'],
  pino: ['libs/runtime/src'],
  'prom-client': ['libs/runtime/src/metrics'],
  commander: ['apps/cli/src'],
  kysely: ['libs/read-model/src'],
  'dns-packet': ['services/dns/src'],
  pg: ['libs/read-model/src'],
  vite: ['services/dashboard/src/build.ts'],
  react: ['services/dashboard/app'],
  'react-dom': ['services/dashboard/app'],
  '@tanstack/react-virtual': ['services/dashboard/app'],
}

/** Packages for tests and tools alone; the product never ships them. */
export const developmentPackages: readonly string[] = [
  '@kubernetes/client-node',
  'axe-core',
  'fast-check',
  'kubernetes-models',
  'playwright-core',
  'vitest',
]

export interface Ban {
  readonly pattern: RegExp
  readonly what: string
  /** What to do instead. */
  readonly fix: string
  /** The only places where it may be, when those are others than the rest of its kind has. */
  readonly only?: readonly string[]
}

/** What runs in a browser has that one's clock. */
const browserFolder = 'services/dashboard/app'

/** Programs that measure real time from outside. */
const outsideFolders: readonly string[] = ['libs/testing', 'tools', 'bench', 'conformance', 'sim']

/** A timer of the platform fires at once when it is to wait for more than 24.8 days: one place knows how to wait for long. */
const timerPlaces: readonly string[] = ['libs/runtime/src/clock.ts', browserFolder, ...outsideFolders]

/** Ambient time and chance. Only `libs/runtime` has them; all others are given a Clock or Ids. */
export const ambientBans: readonly Ban[] = [
  { pattern: /\bDate\.now\(/, what: 'Date.now', fix: 'clock.nowMs() of @shiplog/runtime/clock' },
  { pattern: /\bnew Date\(\s*\)/, what: 'new Date()', fix: 'new Date(clock.nowMs())' },
  { pattern: /\bperformance\.now\(/, what: 'performance.now', fix: 'clock.nowMs() of @shiplog/runtime/clock' },
  { pattern: /\bMath\.random\(/, what: 'Math.random', fix: 'ids.integer(below) of @shiplog/runtime/ids' },
  { pattern: /(?<![.\w])setTimeout\(/, what: 'setTimeout', fix: 'clock.sleep(ms, signal) or clock.after(ms, …)', only: timerPlaces },
  { pattern: /(?<![.\w])setInterval\(/, what: 'setInterval', fix: 'clock.every(ms, …) of @shiplog/runtime/clock', only: timerPlaces },
  { pattern: /\bAbortSignal\.timeout\(/, what: 'AbortSignal.timeout', fix: 'clock.after(ms, …) that aborts', only: timerPlaces },
  { pattern: /from 'node:timers/, what: 'node:timers', fix: 'a Clock of @shiplog/runtime/clock', only: timerPlaces },
]

/** Where the ambient ban does not hold: the ports themselves, and programs that measure real time from outside. */
export const ambientFolders: readonly string[] = ['libs/runtime', browserFolder, ...outsideFolders]

/** Syntax and words that never land. */
export const textBans: readonly Ban[] = [
  { pattern: /^\s*(export\s+)?(declare\s+)?(const\s+)?enum\s+\w/m, what: 'enum', fix: 'a union of string literals' },
  { pattern: /^\s*(export\s+)?(declare\s+)?namespace\s+\w/m, what: 'namespace', fix: 'a module' },
  {
    // Not within the type of a parameter.
    pattern: /constructor\(([^)]*,)?\s*(private|public|protected|readonly)\s+\w+\s*[?:=,)]/,
    what: 'a parameter property',
    fix: 'a field, assigned in the constructor',
  },
  // Spelled in parts, so that this file passes its own rule.
  { pattern: new RegExp(`\\bFIX${'ME'}\\b`), what: `FIX${'ME'}`, fix: 'the repair itself' },
  {
    pattern: new RegExp(`\\bTO${'DO'}\\b(?!\\s*\\(#\\d+\\))`),
    what: `TO${'DO'} without an issue`,
    fix: `TO${'DO'} (#7), or do it`,
  },
]
