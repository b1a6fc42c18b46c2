// `npm run conformance:operators [-- cert-manager …]`: the CustomResourceDefinitions of well-known operators, as their Go modules
// ship them, through real kubectl against a fresh cluster: create, apply both ways, explain, get, watch, delete. Needs `go`.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, styleText } from 'node:util'
import { decodeYaml } from '@shiplog/api/decode/decode-yaml'
import { createCommandContext } from './command-context.ts'
import { type Operator, operators } from './operators.ts'
import { startBench } from '../src/suite.ts'

/** kubectl keeps what it applied in an annotation, which holds no more. */
const annotationBytesMax = 262_144

const { positionals } = parseArgs({ allowPositionals: true })
const wanted = operators.filter(({ module }) => positionals.length === 0 || positionals.some((name) => module.includes(name)))

/** The definitions of an operator, from its module. */
function definitionsOf({ module, version, folder }: Operator): readonly string[] {
  const directory = mkdtempSync(join(tmpdir(), 'shiplog-operators-'))
  try {
    writeFileSync(join(directory, 'go.mod'), 'module shiplog\n')
    const told = execFileSync('go', ['mod', 'download', '-json', `${module}@${version}`], { cwd: directory, encoding: 'utf8' })
    const root = join((JSON.parse(told) as { Dir: string }).Dir, folder)
    return readdirSync(root)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => readFileSync(join(root, name), 'utf8'))
      .filter((text) => /^kind: CustomResourceDefinition$/m.test(text))
      .map((text, index) => {
        // Where a chart's templates are what is shipped, the labels that Helm would fill in are left out.
        const path = join(running.directory, `${index}.yaml`)
        writeFileSync(path, text.replace(/^.*\{\{.*\n/gm, ''))
        return path
      })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function check(operator: Operator): Promise<string> {
  const files = definitionsOf(operator)
  const { k, eventually } = context
  let largest = 0
  const names: string[] = []
  for (const file of files) {
    const { size } = statSync(file)
    largest = Math.max(largest, size)
    const { metadata } = decodeYaml(readFileSync(file, 'utf8')).value as { metadata: { name: string } }
    names.push(metadata.name)
    if (size < annotationBytesMax) await k(['apply', '-f', file])
    else await k(['create', '-f', file])
    await k(['apply', '--server-side', '--force-conflicts', '-f', file])
  }
  await k(['wait', '--for=condition=Established', '--timeout=10s', ...names.map((name) => `crd/${name}`)])
  for (const name of names) await k(['get', name])
  const [path, says] = operator.explain
  const explained = await k(['explain', path])
  if (!explained.includes(says)) throw new Error(`explain ${path} does not tell of ${says}`)
  const { sample } = operator
  const [group] = sample.apiVersion.split('/')
  const resource = names.find((name) => name.endsWith(`.${group}`) && isOf(files[names.indexOf(name)]!, sample.kind))!
  const text = JSON.stringify(sample)
  await k(['apply', '-f', '-'], { stdin: text })
  await k(['apply', '--server-side', '--force-conflicts', '-f', '-'], { stdin: text })
  const watched = k(['get', resource, '-w', '-o', 'name'], { until: (out) => out.split('\n').length > 2, timeoutMs: 20_000 })
  await k(['label', resource, 'sample', 'seen=true'])
  await watched.catch(async () => {
    // The change came before the watch: one more.
    const again = k(['get', resource, '-w', '-o', 'name'], { until: (out) => out.split('\n').length > 2, timeoutMs: 20_000 })
    await new Promise((resolve) => setTimeout(resolve, 500))
    await k(['label', resource, 'sample', 'seen=again', '--overwrite'])
    await again
  })
  await k(['delete', ...names.map((name) => `crd/${name}`), '--timeout=30s'])
  await eventually(async () => {
    if ((await k(['get', 'crd', '-o', 'name'])).includes(resource)) throw new Error('a definition is left')
  })
  return `${files.length} definitions, the largest of ${Math.round(largest / 1024)} KB`
}

const isOf = (file: string, kind: string): boolean => new RegExp(`^    kind: ${kind}$`, 'm').test(readFileSync(file, 'utf8'))

const running = await startBench('embedded')
const context = createCommandContext(running)
let failed = 0
for (const operator of wanted) {
  const begunMs = performance.now()
  try {
    const summary = await check(operator)
    const seconds = ((performance.now() - begunMs) / 1_000).toFixed(1)
    process.stdout.write(`${styleText('green', 'ok')}     ${operator.module}: ${summary} (${seconds} s)\n`)
  } catch (error) {
    failed++
    process.stdout.write(`${styleText('red', 'failed')} ${operator.module}: ${(error as Error).message.slice(0, 2_000)}\n`)
  }
}
await running.close()
process.stdout.write(`${wanted.length - failed} passed, ${failed} failed\n`)
process.exit(failed === 0 ? 0 : 1)
