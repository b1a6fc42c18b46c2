// `npm run conformance:envtest`: the suite of an operator with controller-runtime (operator/), as any project has it, against
// the programs of envtest/bin. `-- -run TestLeaderElection` and other flags of `go test` are passed on.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const testTimeout = '10m'
/** Where Go's own archives unpack to. */
const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/go/bin']

const goBin = places.find((place) => existsSync(join(place, 'go')))
if (goBin === undefined) {
  process.stderr.write('go is not on PATH: install Go 1.26 or later (Debian: apt-get install golang, or go.dev)\n')
  process.exit(1)
}
const envtest = join(import.meta.dirname, '..', '..', 'envtest')
// As `shiplog envtest path` does.
spawnSync(process.execPath, [join(envtest, 'lib', 'build.mjs')], { stdio: 'inherit' })
const test = spawn(join(goBin, 'go'), ['test', '-count=1', `-timeout=${testTimeout}`, './...', ...process.argv.slice(2)], {
  cwd: join(import.meta.dirname, 'operator'),
  stdio: 'inherit',
  env: { ...process.env, KUBEBUILDER_ASSETS: join(envtest, 'bin') },
})
const [code] = (await once(test, 'exit')) as [number | null]
process.exit(code ?? 1)
