import { describeKills } from './kill-suite.ts'
import { sized } from './size.ts'

describeKills('embedded', sized(6, 100))
