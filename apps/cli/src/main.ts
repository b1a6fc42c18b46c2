// `shiplog`: the one entry point for people. Only what a command needs is loaded, and only when it runs: `up` has a
// second for everything.
import { isIP } from 'node:net'
import { serverFlags } from '@shiplog/api-gateway/configuration/flag-names'
import { parseAddressPool } from '@shiplog/api/address-pool'
import { parseIpRanges } from '@shiplog/api/ip-address'
import { parseServiceRanges } from '@shiplog/domain/service/ip-range'
import { nodeSettings } from '@shiplog/node-agent/eviction/kubelet-arguments'
import { mirrorsMax, parseRegistryMirror, type RegistryMirror } from '@shiplog/node/containerd/registry-mirrors'
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { failed, watchForEnd } from './ending.ts'

/** Documented in --help: 0 done (or stopped by a signal), 1 failed (the message says why), 2 wrong usage. */
const exitCode = { usage: 2 } as const

const defaultDataDir = '.shiplog'

function wholeNumber(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value > max) throw new InvalidArgumentError(`a whole number from 0 to ${max}, please.`)
    return value
  }
}

function logChoice(text: string): string {
  if (/^(auto|embedded|jetstream)$/.test(text) || /^(nats|tls):\/\/\S+$/.test(text)) return text
  throw new InvalidArgumentError('auto, embedded, jetstream or nats://…, please.')
}

const ageUnitsMs: Readonly<Record<string, number>> = { h: 3_600_000, d: 86_400_000 }

function ageOf(text: string): number {
  const [, count, unit] = /^(\d+)([hd])$/.exec(text) ?? []
  if (count === undefined || unit === undefined) throw new InvalidArgumentError('hours or days, please: 12h, 30d.')
  return Number(count) * ageUnitsMs[unit]!
}

function nodeKind(text: string, before: readonly string[] = []): readonly string[] {
  if (text === 'process' || text === 'containerd') return [...new Set([...before, text])]
  throw new InvalidArgumentError('process or containerd, please.')
}

const ipAddress = (text: string): string => {
  if (isIP(text) !== 0) return text
  throw new InvalidArgumentError('an IP address, please.')
}

/** Each has a containerd of its own. */
const containerNodesMax = 16

function registryMirror(text: string, before: readonly RegistryMirror[] = []): readonly RegistryMirror[] {
  if (before.length >= mirrorsMax) throw new InvalidArgumentError(`at most ${mirrorsMax} of them, please.`)
  try {
    return [...before, parseRegistryMirror(text)]
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`)
  }
}

function kubeletArgument(text: string, before: readonly string[] = []): readonly string[] {
  try {
    nodeSettings([text])
    return [...before, text]
  } catch (error) {
    // A soft threshold and its period are said apart, and judged together when the nodes are made.
    if (/^eviction-soft=/.test(text) && /grace period must be specified/.test((error as Error).message)) return [...before, text]
    throw new InvalidArgumentError(`${(error as Error).message}.`)
  }
}

function postgresChoice(text: string): string {
  if (/^(auto|off)$/.test(text) || /^postgres(ql)?:\/\/\S+$/.test(text)) return text
  throw new InvalidArgumentError('auto, off or postgres://…, please.')
}

/** The text itself, once it is known to be one range or one of each family. */
function ranges(read: (text: string) => unknown): (text: string) => string {
  return (text) => {
    try {
      read(text)
      return text
    } catch (error) {
      throw new InvalidArgumentError(`${error instanceof Error ? error.message : String(error)}.`)
    }
  }
}

/** The API server's own, by kube-apiserver's names. */
function withServerFlags(command: Command): Command {
  for (const [name, value, help] of serverFlags) command.addOption(new Option(`--${name} ${value}`, help))
  return command
}

const serviceCidrOption = (): Option =>
  new Option(
    '--service-cidr <ranges>',
    'where addresses of Services come from: a range, or one of each family (default 10.96.0.0/12)',
  ).argParser(ranges(parseServiceRanges))
const podCidrOption = (): Option =>
  new Option(
    '--pod-cidr <ranges>',
    'where addresses of pods come from: a range, or one of each family (default 10.244.0.0/16)',
  ).argParser(ranges(parseIpRanges))

function ownerChoice(text: string): { uid: number; gid: number } {
  const [uid, gid = uid] = /^(\d+)(?::(\d+))?$/.exec(text)?.slice(1) ?? []
  if (uid === undefined) throw new InvalidArgumentError('numbers, please: 1000 or 1000:1000.')
  return { uid: Number(uid), gid: Number(gid) }
}

const dataDirOption = (): Option =>
  new Option('-d, --data-dir <dir>', 'where the cluster keeps its state')
    .default(defaultDataDir)
    .env('SHIPLOG_DATA_DIR')

const program = new Command('shiplog')
  .description('A Kubernetes control plane whose state is a replayable log.')
  .showHelpAfterError('(shiplog --help shows how)')
  .exitOverride()
  .addHelpText(
    'after',
    `
Examples:
  $ shiplog up                                   a cluster in this directory, in about a second
  $ export KUBECONFIG=$PWD/.shiplog/kubeconfig
  $ kubectl get nodes
  $ shiplog up --port 0 --simulated-nodes 100    any free port, a hundred nodes
  $ shiplog verify                               checks the whole log
  $ shiplog repair                               says what damage would cost, and mends it with --yes
  $ shiplog log deploy/web --since 10m           what happened to it
  $ shiplog history deploy/web                   field by field, also after its deletion
  $ shiplog why deploy/web                       which controller did what, and because of what
  $ shiplog diff 10m now -n default              what is different
  $ shiplog explain pod/web-1                    why it is where it is, or waits
  $ shiplog explain service/web                  who receives its traffic, and why others do not
  $ shiplog replay                               computes all decisions again
  $ shiplog apart                                the same, each service a process
  $ shiplog dashboard                            a link that signs your browser in
  $ shiplog down                                 stops it

Exit codes: 0 done, or stopped by SIGINT or SIGTERM; 1 failed, and the message says why; 2 wrong usage.`,
  )

withServerFlags(program.command('up'))
  .description('start a cluster in this process, and run it until SIGINT or SIGTERM')
  .addOption(dataDirOption())
  .addOption(
    new Option('-p, --port <number>', 'port of the Kubernetes API; 0 takes any free one')
      .default(6443)
      .env('SHIPLOG_PORT')
      .argParser(wholeNumber(65_535)),
  )
  .addOption(new Option('--host <address>', 'address to listen on').default('127.0.0.1'))
  .addOption(
    new Option('-l, --log <which>', 'auto, embedded, jetstream, or the nats:// URL of a server')
      .default('auto')
      .argParser(logChoice),
  )
  .addOption(
    new Option('--postgres <which>', 'SQL: auto, off, or the postgres:// URL of a server')
      .default('auto')
      .env('SHIPLOG_POSTGRES')
      .argParser(postgresChoice),
  )
  .addOption(
    new Option(
      '-n, --simulated-nodes <count>',
      'nodes whose containers exist only as state (default 3; with --node containerd 0)',
    ).argParser(wholeNumber(30_000)),
  )
  .addOption(
    new Option('--node <kind>', 'containerd: nodes whose pods run; process: one whose pods are processes (see below)')
      .default([], 'none')
      .argParser(nodeKind),
  )
  .addOption(
    new Option('--nodes <count>', 'how many nodes of containerd').default(1).argParser(wholeNumber(containerNodesMax)),
  )
  .addOption(
    new Option('--registry-mirror <url>', 'where nodes of containerd get images from: a registry, or <registry>=<url>; may be repeated')
      .default([], 'where their names say')
      .argParser(registryMirror),
  )
  .addOption(
    new Option('--kubelet-arg <name=value>', "setting of nodes of containerd by the kubelet's flag: eviction-hard=memory.available<500Mi; may be repeated")
      .default([], 'none')
      .argParser(kubeletArgument),
  )
  .option('--no-dashboard', 'serve no dashboard')
  .option('--ingress', 'serve Ingresses on ports of this machine (docs/ingress.md)', false)
  .addOption(new Option('--ingress-host <address>', 'address that the ingress listens on').default('127.0.0.1').argParser(ipAddress))
  .addOption(new Option('--ingress-http-port <port>', 'without TLS').default(80).argParser(wholeNumber(65_535)))
  .addOption(new Option('--ingress-https-port <port>', 'with TLS').default(443).argParser(wholeNumber(65_535)))
  .addOption(serviceCidrOption())
  .addOption(podCidrOption())
  .addOption(
    new Option(
      '--load-balancer-pool <addresses>',
      'for Services of type LoadBalancer: ranges, or two ends, comma-separated (172.30.1.0/24,172.30.2.10-172.30.2.20)',
    ).argParser(ranges(parseAddressPool)),
  )
  .addOption(
    new Option('--token-auth-file <file>', 'static bearer tokens, a line each: token,user,uid,"group1,group2"'),
  )
  .addOption(
    new Option(
      '--disable-admission-plugins <names>',
      "admission plugins to leave out, by upstream's names, comma-separated",
    )
      .default([], 'none')
      .argParser((text) => text.split(',').filter((name) => name !== '')),
  )
  .addOption(
    new Option(
      '--enable-admission-plugins <names>',
      "admission plugins beside those that are on by default, by upstream's names, comma-separated",
    )
      .default([], 'none')
      .argParser((text) => text.split(',').filter((name) => name !== '')),
  )
  .addOption(
    new Option(
      '--controllers <names>',
      "controllers to run, by upstream's names, comma-separated: * is all, -name leaves one out",
    )
      .default(['*'], '*')
      .argParser((text) => text.split(',').filter((name) => name !== '')),
  )
  .addOption(
    new Option(
      '--scheduler-config <file>',
      'a KubeSchedulerConfiguration: profiles, their plugins, weights and arguments (default: upstream\'s default profile)',
    ),
  )
  .addOption(
    new Option(
      '--continue-token-lifetime <seconds>',
      'paged lists go on from their snapshot for so long, then 410; upstream: about 300 (default: as long as the log holds it)',
    ).argParser(wholeNumber(86_400)),
  )
  .addOption(
    new Option('--log-level <level>', 'least level of the log lines on standard error')
      .choices(['debug', 'info', 'warn', 'error', 'silent'])
      .default('warn'),
  )
  .addHelpText(
    'after',
    `
The log:
  auto        the one that this data directory was begun with; for a new one JetStream if a nats-server of 2.12 or later
              is on PATH or in the checkout's cache, else the embedded log. Nothing is downloaded.
  embedded    one SQLite file in the data directory, for one process on one machine
  jetstream   a nats-server as a child process, on loopback; one is provided if the machine has none
  nats://…    a NATS server that runs elsewhere

Nodes:
  --node containerd  pods run in containers, each node in network and mount namespaces of its own on this machine; needs root
                   on Linux. containerd, runc and the like are downloaded once if the machine has none. docs/containers.md.
  --node process   adds a node named after this machine. Pods that tolerate its taint shiplog.dev/runtime=process:NoSchedule
                   run there as real processes, as the user who runs shiplog, without any isolation: WHOEVER MAY CREATE
                   PODS CAN THEN RUN ANY COMMAND AS YOU. Off by default; docs/process-nodes.md tells the rest.

Ingress:
  --ingress        serves Ingresses of the class shiplog on two ports of --ingress-host. docs/ingress.md.

Addresses:
  --service-cidr 10.96.0.0/16,fd00:10:96::/112 --pod-cidr 10.244.0.0/16,fd00:10:244::/56   dual stack, IPv4 first
  One range of IPv6 each makes a cluster of IPv6 alone. They hold for what is made from then on: give the same at every start.

SQL:
  auto         a PostgreSQL of the checkout's packages, as a child process on loopback, a second after the cluster is ready
  off          none
  postgres://… a server of version 14 or later; the user must be allowed to create schemas, and roles if there are to be any

Progress goes to standard error; standard output gets two lines when all nodes are Ready:
  Shiplog is ready in 0.6 s
  export KUBECONFIG=/path/to/.shiplog/kubeconfig`,
  )
  .action(async (options) => {
    const { up } = await import('./cluster/up.ts')
    await up(options)
  })

program
  .command('status')
  .description('tell whether a cluster runs on a data directory, and how it is')
  .addOption(dataDirOption())
  .addHelpText('after', '\nExit code 0: it runs and is ready; 1: it does not.')
  .action(async (options) => {
    const { status } = await import('./cluster/status.ts')
    process.exitCode = await status(options)
  })

program
  .command('down')
  .description('stop the cluster of a data directory, and with --purge remove all that it left')
  .addOption(dataDirOption())
  .addOption(new Option('--purge', "remove the data directory, and PostgreSQL's home with it: it asks"))
  .addOption(new Option('-y, --yes', 'do not ask'))
  .addHelpText('after', '\nExit code 0: nothing runs on it any more; 1: nothing was removed.')
  .action(async (options) => {
    const { down } = await import('./cluster/down.ts')
    process.exitCode = await down(options)
  })

const image = program.command('image').description('images in the nodes of a running cluster (up --node containerd)')

image
  .command('load')
  .description('put images into all nodes: archives (OCI, or of docker save), or names of a local engine')
  .argument('<what...>', 'files, or names of images')
  .addOption(dataDirOption())
  .action(async (what, options) => {
    const { imageLoad } = await import('./cluster/image.ts')
    process.exitCode = await imageLoad(what, options)
  })

image
  .command('ls')
  .description('list the images of each node')
  .addOption(dataDirOption())
  .action(async (options) => {
    const { imageList } = await import('./cluster/image.ts')
    process.exitCode = await imageList(options)
  })

program
  .command('backup')
  .description('write a consistent, verified copy of the cluster, running or stopped')
  .addOption(dataDirOption())
  .requiredOption('-o, --out <dir>', 'where to; it must not exist')
  .addHelpText('after', '\nIt holds the private keys of the cluster, and none of those that Secrets are encrypted with: shiplog keys save.')
  .action(async (options) => {
    const { backup } = await import('./cluster/backup.ts')
    process.exitCode = await backup(options)
  })

program
  .command('restore <backup>')
  .description('make a data directory from a backup; start it with shiplog up')
  .addOption(dataDirOption())
  .addOption(
    new Option('-l, --log <which>', 'auto, embedded, jetstream, or the nats:// URL of a server')
      .default('auto')
      .argParser(logChoice),
  )
  .addOption(new Option('--keys <file>', 'of shiplog keys save: without it what was encrypted cannot be read'))
  .addOption(
    new Option(
      '--bump <count>',
      'sequences that are left out, at least as many as were given out since the backup was taken (default: ten times ' +
        'what the log grew by in such a time on average, and 10000)',
    ).argParser(wholeNumber(1_000_000_000_000)),
  )
  .action(async (from, options) => {
    const { restore } = await import('./cluster/backup.ts')
    process.exitCode = await restore(from, options)
  })

const keys = program.command('keys').description('keys of what the log holds encrypted; docs/secrets.md tells the rest')

keys
  .command('list')
  .description('tell which keys there are, whose they are, and what wraps them')
  .addOption(dataDirOption())
  .addOption(new Option('-o, --output <format>', 'how they are printed').choices(['text', 'json']).default('text'))
  .action(async (options) => {
    const { keysList } = await import('./keys/keys.ts')
    process.exitCode = await keysList(options)
  })

keys
  .command('rotate')
  .description('make a new key that wraps all others; the log stays as it is')
  .addOption(dataDirOption())
  .action(async (options) => {
    const { keysRotate } = await import('./keys/keys.ts')
    process.exitCode = await keysRotate(options)
  })

keys
  .command('destroy <uid>')
  .description('destroy the key of a deleted object now, and with it all that the log ever held of it')
  .addOption(dataDirOption())
  .addOption(new Option('-y, --yes', 'do not ask'))
  .action(async (uid, options) => {
    const { keysDestroy } = await import('./keys/keys.ts')
    process.exitCode = await keysDestroy(uid, options)
  })

keys
  .command('save')
  .description('write all keys to a file, to be kept apart from backups: these hold none')
  .addOption(dataDirOption())
  .requiredOption('-o, --out <file>', 'where to')
  .action(async (options) => {
    const { keysSave } = await import('./keys/keys.ts')
    process.exitCode = await keysSave(options)
  })

program
  .command('compact')
  .description('forget what is older than somebody wants to keep, of a stopped cluster')
  .addOption(dataDirOption())
  .requiredOption('--keep <age>', 'how much of the past stays: 30d, 12h', ageOf)
  .addOption(new Option('-y, --yes', 'do not ask'))
  .addHelpText('after', '\nIt says what is given up, and asks. docs/operations.md tells how a log grows.')
  .action(async (options) => {
    const { compact } = await import('./cluster/compact.ts')
    process.exitCode = await compact(options)
  })

program
  .command('sql')
  .description('ask the cluster in SQL, present and past; without a query: what there is to ask')
  .argument('[query]', 'one statement; it can only read')
  .addOption(dataDirOption())
  .addOption(
    new Option('-o, --output <format>', 'how rows are printed').choices(['table', 'json', 'csv']).default('table'),
  )
  .addOption(new Option('--fresh', 'wait until everything that was acknowledged before is there'))
  .addOption(new Option('--with-secrets', 'show what Secrets hold, too'))
  .addHelpText(
    'after',
    `
Examples:
  $ shiplog sql "select namespace, name, phase, node_name from v1.pods"
  $ shiplog sql --fresh -o json "select * from v1.deployments_history where name = 'web'"
  $ shiplog sql "select name, ready from v1.nodes_as_of(now() - interval '1 hour')"

docs/sql.md has more. Any client of PostgreSQL will do: the URL is in <data-dir>/postgres-url.`,
  )
  .action(async (query, options) => {
    const { sql } = await import('./sql/sql.ts')
    process.exitCode = await sql(query, options)
  })

program
  .command('dashboard')
  .description('print a link that signs a browser in to the dashboard, once, within two minutes')
  .addOption(dataDirOption())
  .addOption(new Option('--kubeconfig <file>', 'of the cluster of this kubeconfig, as its user'))
  .addOption(new Option('--as <user>', 'as somebody else: whoever may impersonate them can'))
  .addOption(new Option('--as-group <groups...>', 'with these groups').default([], 'none'))
  .option('--read-only', 'a session that changes nothing, whatever its user may')
  .option('--open', 'open it in a browser, too')
  .action(async (options) => {
    const { dashboard } = await import('./cluster/dashboard.ts')
    process.exitCode = await dashboard(options)
  })

program
  .command('verify')
  .description('check the whole log of a stopped cluster: every checksum, chain, batch and seal')
  .addOption(dataDirOption())
  .addHelpText(
    'after',
    '\nExit code 0: the log is whole; 1: it is damaged, and the message names subject and sequence.',
  )
  .action(async (options) => {
    const { verify } = await import('./cluster/verify.ts')
    process.exitCode = await verify(options)
  })

program
  .command('repair')
  .description('mend a log whose damage keeps the cluster from starting, giving up what cannot be read')
  .addOption(dataDirOption())
  .option('--yes', 'give it up; without this nothing is changed')
  .option(
    '--end <sequence...>',
    'end the objects of these damaged records instead of taking them back to older versions',
  )
  .addHelpText(
    'after',
    `
An object whose newest record is damaged goes back to its last whole version, or ends where there is none. Nothing is
taken out of the log, and resourceVersions never go back. docs/damage.md says more.

Exit code 0: whole, or repaired; 1: there is something to repair and --yes was not given.`,
  )
  .action(async (options) => {
    const { repair } = await import('./cluster/repair.ts')
    process.exitCode = await repair(options)
  })

const kubeconfigOption = (): Option =>
  new Option('--kubeconfig <file>', 'ask the running cluster of this kubeconfig, wherever it runs')
const namespaceOption = (): Option => new Option('-n, --namespace <name>', 'only this namespace')
const outputOption = (): Option =>
  new Option('-o, --output <format>', 'text, or json: one value a line').choices(['text', 'json']).default('text')
const momentHelp = `
A moment is a sequence (any resourceVersion), a time (2026-01-31T12:00:00Z), an age (10m, 2h30m), or now.
A running cluster is asked through its gateway; of a stopped one (or a copy) the log is read in its data directory.`

program
  .command('log [object]')
  .description('tell what happened, newest first: to the whole cluster, to a KIND, or to a KIND/NAME')
  .addOption(dataDirOption())
  .addOption(kubeconfigOption())
  .addOption(namespaceOption())
  .addOption(new Option('--since <moment>', 'only what came after it'))
  .addOption(new Option('--until <moment>', 'only what came up to it'))
  .addOption(new Option('--type <types>', 'only events of these types, comma-separated; * stands for anything'))
  .addOption(new Option('--actor <name>', 'only what somebody did whose name holds this'))
  .addOption(new Option('--max-count <count>', 'no more than so many').argParser(wholeNumber(1_000_000_000)))
  .addOption(new Option('-f, --follow', 'tell what happens from now (or --since) on, as it happens'))
  .addOption(new Option('-p, --patch', 'with the fields that changed'))
  .addOption(outputOption())
  .addHelpText('after', momentHelp)
  .action(async (object, options) => {
    const { log } = await import('./history/log.ts')
    process.exitCode = await log(object, options)
  })

program
  .command('history <object>')
  .description('tell all that happened to KIND/NAME, field by field, also after its deletion')
  .addOption(dataDirOption())
  .addOption(kubeconfigOption())
  .addOption(namespaceOption())
  .addOption(new Option('--since <moment>', 'only what came after it'))
  .addOption(new Option('--all-fields', 'every field of every change'))
  .addOption(outputOption())
  .addHelpText('after', momentHelp)
  .action(async (object, options) => {
    const { history } = await import('./history/history.ts')
    process.exitCode = await history(object, options)
  })

program
  .command('why <object>')
  .description('tell which controller did what to KIND/NAME, on which basis, because of what, and what it had observed')
  .addOption(dataDirOption())
  .addOption(kubeconfigOption())
  .addOption(namespaceOption())
  .addOption(new Option('--since <moment>', 'only what came after it'))
  .addOption(outputOption())
  .addHelpText('after', momentHelp)
  .action(async (object, options) => {
    const { why } = await import('./history/why.ts')
    process.exitCode = await why(object, options)
  })

program
  .command('diff <from> <to> [object]')
  .description('tell what is different between two moments: everywhere, in a KIND, or in a KIND/NAME')
  .addOption(dataDirOption())
  .addOption(kubeconfigOption())
  .addOption(namespaceOption())
  .addOption(new Option('-l, --selector <labels>', 'only objects with these labels, then or now'))
  .addOption(outputOption())
  .addHelpText('after', `${momentHelp}\nExit code 0: no difference; 1: there are some, or it failed.`)
  .action(async (from, to, object, options) => {
    const { diff } = await import('./history/diff.ts')
    process.exitCode = await diff(from, to, object, options)
  })

program
  .command('explain <what>')
  .description(
    'tell why pod/NAME is where it is, or waits: every node, plugin and score of its last decision; or who receives the ' +
      'traffic of service/NAME, and why others do not',
  )
  .addOption(dataDirOption())
  .addOption(kubeconfigOption())
  .addOption(namespaceOption())
  .addOption(new Option('--at <moment>', 'the last decision up to then, or the Service as it was then'))
  .addOption(new Option('--config <file>', 'of a pod: under another scheduler configuration'))
  .addOption(new Option('--from <pod>', 'of a Service: what pod/NAME of the same namespace reaches'))
  .addOption(outputOption())
  .addHelpText('after', `${momentHelp}\n\nExit code of a Service: 0 somebody receives its traffic; 1 nobody does.`)
  .action(async (what, options) => {
    const service = /^(?:services?|svc)\/(.+)$/.exec(what)?.[1]
    if (service !== undefined) {
      const { explainServiceTraffic } = await import('./network/explain-service.ts')
      process.exitCode = await explainServiceTraffic(service, options)
      return
    }
    const { explainDecision } = await import('./replay/explain-decision.ts')
    process.exitCode = await explainDecision(what, options)
  })

program
  .command('replay')
  .description('compute every recorded attempt to schedule again, and tell which differ')
  .addOption(dataDirOption())
  .addOption(kubeconfigOption())
  .addOption(
    new Option('--config <file>', 'under another scheduler configuration (KubeSchedulerConfiguration will do)'),
  )
  .addOption(outputOption())
  .addHelpText('after', '\nExit code 0: all as recorded; 1: some differ or cannot be computed again.')
  .action(async (options) => {
    const { replay } = await import('./replay/replay.ts')
    process.exitCode = await replay(options)
  })

program
  .command('apart')
  .description('start a cluster of services that run apart, replicas of each, until SIGINT or SIGTERM')
  .addOption(
    new Option('-d, --data-dir <dir>', 'where all of it lies, certificates too').default(`${defaultDataDir}/apart`),
  )
  .addOption(
    new Option('-p, --port <number>', 'port of the first gateway; the others take any free one, as it does with 0')
      .default(6443)
      .env('SHIPLOG_PORT')
      .argParser(wholeNumber(65_535)),
  )
  .addOption(
    new Option('-r, --replicas <count>', 'of gateways, schedulers and controller managers, each')
      .default(2)
      .argParser(wholeNumber(16)),
  )
  .addOption(
    new Option('-n, --simulated-nodes <count>', 'nodes whose containers exist only as state')
      .default(3)
      .argParser(wholeNumber(1_000)),
  )
  .addOption(serviceCidrOption())
  .addOption(podCidrOption())
  .addOption(
    new Option('--postgres <which>', 'SQL: auto, off, or the postgres:// URL of a server')
      .default('auto')
      .env('SHIPLOG_POSTGRES')
      .argParser(postgresChoice),
  )
  .addHelpText(
    'after',
    `
What docker-compose.yml does with containers this does with the checkout: each service is a process, on a nats-server of
its own. One that ends is started again. <data-dir>/run has the process id and the output of each:
  $ kill -9 $(cat .shiplog/apart/run/scheduler-1.pid)

docs/running-services-apart.md tells what happens then.`,
  )
  .action(async (options) => {
    const { apart } = await import('./cluster/apart.ts')
    await apart(options)
  })

program
  .command('pki')
  .description('make certificates and credentials for services that run apart, a directory for each')
  .requiredOption('-o, --out <dir>', 'where to write them; what is there and still good is kept')
  .option('--host <names...>', 'names and addresses of the gateways', [])
  .option('--node <names...>', 'nodes whose agents run apart', ['node-0', 'node-1', 'node-2'])
  .addOption(
    new Option(
      '--owner <uid:gid>',
      'whose the directories of schedulers, controllers, projectors and nodes are to be (their containers run as it)',
    ).argParser(ownerChoice),
  )
  .option('--server <url>', "the gateway in the administrator's kubeconfig", 'https://127.0.0.1:6443')
  .addHelpText('after', '\nSee docs/running-services-apart.md.')
  .action(async (options) => {
    const { pki } = await import('./cluster/pki.ts')
    await pki(options)
  })

program
  .command('info')
  .description('print where things are')
  .addOption(dataDirOption())
  .action(async (options) => {
    const { info } = await import('./cluster/info.ts')
    info(options)
  })

program
  .command('features')
  .description('list what works, what is only stored, and what is accepted and ignored')
  .addOption(
    new Option('-o, --output <format>', "text, json, or markdown: the README's list")
      .choices(['text', 'json', 'markdown'])
      .default('text'),
  )
  .addHelpText('after', '\nWhoever writes what is only stored or ignored gets a warning that says so.')
  .action(async (options) => {
    const { printFeatures } = await import('./cluster/features.ts')
    printFeatures(options)
  })

program
  .command('version')
  .description('print the versions of Shiplog, of the Kubernetes API it serves, and of Node')
  .action(async () => {
    const { versionLines } = await import('./cluster/info.ts')
    for (const line of versionLines()) process.stdout.write(`${line}\n`)
  })

program
  .command('envtest')
  .description('tell where the control plane for other people\'s test suites is: see docs/envtest.md')
  .addArgument(new Argument('<what>', 'path: the directory with kube-apiserver, etcd, kube-controller-manager and kubectl').choices(['path']))
  .addHelpText('after', '\n  $ export KUBEBUILDER_ASSETS="$(npx shiplog envtest path)"')
  .action(async () => {
    const { prepareEnvtest } = await import('./envtest/prepare.ts')
    process.stdout.write(`${await prepareEnvtest()}\n`)
  })

program
  .command('completion')
  .description('print the completion of this command for a shell')
  .addArgument(new Argument('<shell>', 'which').choices(['bash', 'zsh', 'fish']))
  .addHelpText('after', '\n  $ source <(shiplog completion bash)\n  $ shiplog completion fish | source')
  .action(async (shell) => {
    const { completionScript } = await import('./cluster/completion.ts')
    process.stdout.write(completionScript(shell, program))
  })

// A fault in the usage of a command is explained by that command's help.
for (const command of program.commands) command.showHelpAfterError(`(shiplog ${command.name()} --help shows how)`)

watchForEnd()
try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCode.usage
  else failed(error)
}
