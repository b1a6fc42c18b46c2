// What a node of containers tells of its use, from the last look at it.
import type { NodeStats } from '../pod-host.ts'
import { type NodeSampler, samplePeriodMs } from './node-sampler.ts'
import { cadvisorMetrics, resourceMetrics } from './stats-metrics.ts'
import { statsSummary } from './stats-summary.ts'

/** A look that is older than this is made anew. */
const ageMsMax = 1.5 * samplePeriodMs

export const nodeStats = (sampler: () => NodeSampler | undefined): NodeStats => {
  const sample = async () => {
    const found = sampler()
    if (found === undefined) throw new Error('the agent has not begun')
    return await found.sample(ageMsMax)
  }
  return {
    summary: async (nodeName, pods) => statsSummary(nodeName, await sample(), pods),
    async metrics(which, pods) {
      if (which === 'cadvisor') return cadvisorMetrics(await sample(), pods)
      return resourceMetrics(await sample().catch(() => undefined), pods)
    },
    async machine() {
      const { machine } = await sample()
      return machine.rate && { cpuNanoCores: machine.rate.cpuNanoCores, memoryWorkingSetBytes: machine.memory.workingSetBytes }
    },
  }
}
