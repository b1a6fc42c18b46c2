// `node tools/nats-server/main.ts`: provides a nats-server and prints its path; what it tries goes to stderr.
import { oldestVersion, provideNatsServer } from '@shiplog/nats-server/nats-binary'

const found = await provideNatsServer({ progress: (line) => process.stderr.write(`${line}\n`) })
if (found === undefined) {
  process.stderr.write(
    `No nats-server ≥ ${oldestVersion} to be had: install one, or Docker, or Go. Shiplog runs on its embedded log meanwhile.\n`,
  )
  process.exitCode = 1
} else {
  process.stderr.write(`nats-server ${found.version} (${found.how})\n`)
  process.stdout.write(`${found.path}\n`)
}
