// PrioritySort: the order of the queue: higher priority first, then who came first.
import type { Plugin } from '../framework/framework.ts'

export const prioritySort: Plugin = {
  name: 'PrioritySort',
  queueSort: (a, b) => b.priority - a.priority || a.enqueuedMs - b.enqueuedMs,
}
