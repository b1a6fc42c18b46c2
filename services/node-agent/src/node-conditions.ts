// The conditions of a node in the kubelet's words. Pure.
import type { NodeIdentity } from './node-object.ts'

type Sentence = readonly [type: string, status: string, reason: string, message: string]

const sentences: readonly Sentence[] = [
  ['MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
  ['DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
  ['PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'],
  ['Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'],
]

/** Of a node that is short of something. */
const pressing: Readonly<Record<string, Sentence>> = {
  MemoryPressure: ['MemoryPressure', 'True', 'KubeletHasInsufficientMemory', 'kubelet has insufficient memory available'],
  DiskPressure: ['DiskPressure', 'True', 'KubeletHasDiskPressure', 'kubelet has disk pressure'],
  PIDPressure: ['PIDPressure', 'True', 'KubeletHasInsufficientPID', 'kubelet has insufficient PID available'],
}

export const sentencesOf = ({ pressures }: NodeIdentity): readonly Sentence[] => {
  const present = pressures?.()
  return present?.size ? sentences.map((sentence) => (present.has(sentence[0]) ? (pressing[sentence[0]] ?? sentence) : sentence)) : sentences
}
