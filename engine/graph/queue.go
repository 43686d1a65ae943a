package graph

import "container/heap"

// queue holds nodes; the one with the highest rank is the next, of equals the one that comes first in the graph's order.
type queue struct {
	rank []float64 // by node; shared, not changed
	ids  []int
}

func (q *queue) push(id int) { heap.Push(q, id) }
func (q *queue) pop() int    { return heap.Pop(q).(int) }

// Len is part of heap.Interface, as the methods below are.
func (q *queue) Len() int { return len(q.ids) }

func (q *queue) Less(i, j int) bool {
	a, b := q.ids[i], q.ids[j]
	if q.rank[a] != q.rank[b] {
		return q.rank[a] > q.rank[b]
	}
	return a < b
}

func (q *queue) Swap(i, j int) { q.ids[i], q.ids[j] = q.ids[j], q.ids[i] }
func (q *queue) Push(x any)    { q.ids = append(q.ids, x.(int)) }

func (q *queue) Pop() any {
	last := q.ids[len(q.ids)-1]
	q.ids = q.ids[:len(q.ids)-1]
	return last
}
