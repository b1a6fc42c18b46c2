import { describe, expect, test } from 'vitest'
import { nodeObject, processNode, processNodeName, runtimeLabel, simulatedNode } from './node-object.ts'

const machine = {
  cpus: 6,
  memoryBytes: 8 * 2 ** 30,
  diskBytes: 100 * 2 ** 30,
  kernelVersion: '6.1.0',
  osImage: 'Debian',
  architecture: 'x64',
  internalIP: '192.0.2.2',
}

describe('a node of processes', () => {
  test('tells what the machine has, and keeps away what does not ask for it', () => {
    const node = nodeObject(processNode('box', machine), { bootID: 'b', runtimeVersion: 'process://1' }, 0)
    expect(node['metadata'].labels).toMatchObject({
      [runtimeLabel]: 'process',
      'kubernetes.io/hostname': 'box',
      'kubernetes.io/arch': 'amd64',
    })
    expect(node['spec'].taints).toEqual([{ effect: 'NoSchedule', key: runtimeLabel, value: 'process' }])
    expect(node['status'].capacity).toMatchObject({ cpu: '6', memory: '8388608Ki', 'ephemeral-storage': '104857600Ki' })
    expect(node['status'].nodeInfo).toMatchObject({ containerRuntimeVersion: 'process://1', kernelVersion: '6.1.0' })
    expect(node['status'].addresses[0]).toEqual({ address: '192.0.2.2', type: 'InternalIP' })
  })

  test('has the name of the machine, unless no node can have it', () => {
    const isTaken = (name: string): boolean => name === 'node-0'
    expect(processNodeName('Box.Example', isTaken)).toBe('box.example')
    for (const name of ['node-0', 'my_box', '', '-box', 'box-', 'a..b', 'x'.repeat(64)]) {
      expect(processNodeName(name, isTaken)).toBe('process-0')
    }
  })
})

test('simulated nodes say that they are', () => {
  expect(simulatedNode('node-0').labels[runtimeLabel]).toBe('simulated')
})
