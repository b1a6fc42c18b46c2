import { describeKills } from './kill-suite.ts'
import { sized } from './size.ts'

describeKills('jetstream', sized(6, 100))
