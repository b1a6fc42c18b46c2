// `shiplog repair`: for a log whose damage keeps a cluster from starting. Says what is damaged and what would be given up
// for each, and does it when asked to by --yes.
import { resolve } from 'node:path'
import { damagedLasts, expireDamaged } from '@shiplog/events/integrity/aging-log'
import { header } from '@shiplog/events/envelope'
import { planRepair, type Recrypt, repairLog, type Remedy, whatIsGivenUp } from '@shiplog/events/integrity/repair-log'
import { describeFinding, verifyLog } from '@shiplog/events/integrity/verify-log'
import { decodeRecord, isObjectRecord, type RecordCodec } from '@shiplog/feed/record-codec'
import { openStopped } from '../keys/key-source.ts'
import { type StoppedLog, withStoppedLog } from './stopped-log.ts'

export interface RepairOptions {
  readonly dataDir: string
  /** Gives up what has to be given up. */
  readonly yes?: boolean | undefined
  /** Sequences of damaged records whose objects shall end instead of going back. */
  readonly end?: readonly string[] | undefined
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** Gives the exit code: 0 whole or repaired, 1 when there is something to repair and nobody has said yes. */
export const repair = (options: RepairOptions): Promise<number> =>
  withStoppedLog(resolve(options.dataDir), (opened) => repairOpened(opened, options))

async function repairOpened({ log, mark }: StoppedLog, options: RepairOptions): Promise<number> {
  const { events, leases, objectEvents } = log
  const end = await events.lastSequence()
  if (mark && end < mark.sequence) {
    throw new Error(
      `the log ends at sequence ${end}, but ${mark.sequence} was acknowledged: what is gone cannot be repaired; restore a backup`,
    )
  }
  const plan = await planRepair(events, await verifyLog(events), new Set(options.end?.map(Number)))
  const aged = [...(await damagedLasts(leases)), ...(await damagedLasts(objectEvents))]
  if (plan.length === 0 && aged.length === 0) {
    say('the log is whole: there is nothing to repair')
    return 0
  }
  for (const remedy of plan) describe(remedy)
  for (const subject of aged) say(`${subject}: the record is damaged\n    gives up: the object, which ages anyway and is made anew`)
  if (options.yes !== true) {
    process.stderr.write('shiplog: nothing was changed. With --yes this is given up; a backup may hold it still\n')
    return 1
  }
  const encryption = plan.length > 0 ? await openStopped(log, resolve(options.dataDir)) : undefined
  const sequences = plan.length > 0 ? await repairLog(events, plan, encryption && recryptWith(encryption.codec)) : []
  encryption?.stop()
  for (const aging of [leases, objectEvents]) await expireDamaged(aging)
  say(sequences.length > 0 ? `repaired at sequence ${sequences.join(', ')}` : 'repaired')
  return 0
}

/** An object whose key is gone ends without what it was: its end says no more. */
const recryptWith =
  (codec: RecordCodec): Recrypt =>
  async (good, append) => {
    const [opened] = await codec.open([good], false)
    const decoded = decodeRecord(opened!)
    if (opened!.clear === undefined || !isObjectRecord(decoded)) {
      if (append.headers[header.deleted] === '1') return { ...append, payload: new Uint8Array(0) }
      throw new Error(`${good.subject} at sequence ${good.sequence} cannot be read: ${opened!.unreadable}; --end ends the object`)
    }
    const of = { groupResource: decoded.groupResource, uid: good.headers[header.key]! }
    return await codec.encrypt({ ...append, payload: opened!.clear }, of)
  }

function describe(remedy: Remedy): void {
  say(`${describeFinding(remedy.finding)}\n    gives up: ${whatIsGivenUp(remedy)}`)
}
