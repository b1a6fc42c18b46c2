// The way from the nodes into the world: a process of the machine (pasta) that speaks for the network between the nodes as any
// program speaks for itself. Nothing of the machine's network is changed for it: no interface, no route, no rule, no setting.
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '@shiplog/runtime/clock'
import { inNamespace } from './holder.ts'

const device = 'world0'
const readyTimeoutMs = 5_000
const pollMs = 50
const lookSeconds = 1

export interface WayOutOptions {
  readonly doorPid: number
  /** Of the door. */
  readonly directory: string
  readonly pasta: string
  readonly nft: string
  readonly clock: Clock
}

/** What leaves by it comes from one address. Written anew each time: whoever opened it may have ended before they were there. */
const rules = `table ip way-out {}
flush table ip way-out
table ip way-out {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "${device}" masquerade
  }
}`

/**
 * Opens it, or finds it open: it outlives us as the door does, and ends with it. False where the machine itself has no way,
 * and then nodes have none.
 */
export async function openWayOut({ doorPid, directory, pasta, nft, clock }: WayOutOptions): Promise<boolean> {
  const isOpen = (): Promise<boolean> =>
    inNamespace(doorPid, 'net', `ip route show default dev ${device}`).then((text) => text.trim() !== '', () => false)
  if (!(await isOpen())) {
    start({ doorPid, directory, pasta })
    const deadlineMs = clock.nowMs() + readyTimeoutMs
    while (!(await isOpen())) {
      if (clock.nowMs() > deadlineMs) return false
      await clock.sleep(pollMs)
    }
  }
  await inNamespace(doorPid, 'net', `'${nft}' -f - <<'END'\n${rules}\nEND`)
  return true
}

/** No port of the machine leads in, and neither its loopback nor its gateway's address stands for the machine. */
const closed = ['-t', 'none', '-u', 'none', '-T', 'none', '-U', 'none', '--no-map-gw']

function start({ doorPid, directory, pasta }: Pick<WayOutOptions, 'doorPid' | 'directory' | 'pasta'>): void {
  const place = join(directory, 'network')
  const script = [
    'set -e',
    'own=$(readlink /proc/$1/ns/net)',
    ': > "$2"',
    // A mount that nobody else sees, and that ends with this process.
    'mount --bind /proc/$1/ns/net "$2"',
    'net=$2; door=$1; shift 2',
    '"$@" --netns-only --netns "$net" &',
    // The namespace would live as long as this does.
    `while [ "$(readlink /proc/$door/ns/net 2>/dev/null)" = "$own" ] && kill -0 $!; do sleep ${lookSeconds}; done`,
    'kill $!',
  ].join('\n')
  const log = openSync(join(directory, 'way-out.log'), 'a', 0o600)
  const child = spawn(
    'unshare',
    [
      ...['--mount', '--propagation', 'private', 'sh', '-c', script, 'shiplog-way-out', String(doorPid), place],
      ...[pasta, '--foreground', '--config-net', '--ns-ifname', device, '--runas', '0', ...closed],
    ],
    { detached: true, stdio: ['ignore', log, log] },
  )
  closeSync(log)
  child.on('error', () => undefined)
  child.unref()
}
