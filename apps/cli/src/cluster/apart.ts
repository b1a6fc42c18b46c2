// `shiplog apart`: starts a cluster whose services run apart, says so, and stays until it is asked to stop.
import { startApart } from '@shiplog/all-in-one/apart'
import { systemClock } from '@shiplog/runtime/clock'
import { systemIds } from '@shiplog/runtime/ids'
import { findNatsServer } from './find-nats-server.ts'
import { progress, stayUp } from './stay-up.ts'

export interface ApartCommandOptions {
  readonly dataDir: string
  readonly port: number
  readonly replicas: number
  readonly simulatedNodes: number
  readonly postgres: string
}

export const apart = ({ dataDir: directory, ...options }: ApartCommandOptions): Promise<never> =>
  stayUp(
    async () => {
      const natsServer = await findNatsServer(progress)({ fetch: true })
      if (!natsServer) throw new Error('no nats-server of 2.12 or later could be provided')
      return await startApart({ ...options, directory, natsServer, clock: systemClock, ids: systemIds, progress })
    },
    (error) => (error instanceof Error ? error.message : String(error)),
  )
