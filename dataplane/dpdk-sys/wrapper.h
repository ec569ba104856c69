/*
 * What Ostiary uses of DPDK. bindgen reads this file: functions are called as they are, static inline ones through
 * wrappers that build.rs has bindgen write. What Rust cannot see (macros, thread-locals, cpu_set_t) is made visible here.
 */
#ifndef OSTIARY_DPDK_WRAPPER_H
#define OSTIARY_DPDK_WRAPPER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* cpu_set_t */
#endif
#include <errno.h>
#include <sched.h>
#include <stddef.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <rte_version.h>

/* Masks that rte_ethdev.h builds from RTE_BIT64, which bindgen does not evaluate. */
static const uint64_t OSTIARY_RSS_IP = RTE_ETH_RSS_IP;
static const uint64_t OSTIARY_RSS_TCP = RTE_ETH_RSS_TCP;
static const uint64_t OSTIARY_RSS_UDP = RTE_ETH_RSS_UDP;
static const uint64_t OSTIARY_RX_OFFLOAD_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t OSTIARY_RX_OFFLOAD_RSS_HASH = RTE_ETH_RX_OFFLOAD_RSS_HASH;
static const uint64_t OSTIARY_TX_OFFLOAD_MULTI_SEGS = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

/* Where the fields of rte_mbuf are that a burst reads. From 24.11 on they sit in nested anonymous structures, so that Rust
 * names would depend on the version; offsets do not. */
static const size_t OSTIARY_MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr);
static const size_t OSTIARY_MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off);
static const size_t OSTIARY_MBUF_NB_SEGS = offsetof(struct rte_mbuf, nb_segs);
static const size_t OSTIARY_MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len);
static const size_t OSTIARY_MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len);
static const size_t OSTIARY_MBUF_NEXT = offsetof(struct rte_mbuf, next);

/* The error number of the last call of this thread: a macro over a thread-local. */
static inline int ostiary_errno(void)
{
	return rte_errno;
}

/* Receives a burst and asks for the first line of every frame, so that it is there when the headers are read. */
static inline uint16_t ostiary_receive(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t most)
{
	uint16_t count = rte_eth_rx_burst(port, queue, frames, most);

	for (uint16_t i = 0; i < count; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], const void *));
	return count;
}

/* Whether a port's link is up, and its speed in Mbit/s; the structure's shape depends on the version. Returns 0, or a
 * negative error number. */
static inline int ostiary_link(uint16_t port, int *up, uint32_t *speed)
{
	struct rte_eth_link link;
	int error = rte_eth_link_get_nowait(port, &link);

	*up = error == 0 && link.link_status == RTE_ETH_LINK_UP;
	*speed = error == 0 ? link.link_speed : 0;
	return error;
}

/* The CPUs that the calling thread may run on: one byte a CPU, 0 or 1. Returns 0, or a positive error number. */
static inline int ostiary_affinity(uint8_t *allowed, unsigned int cpus)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return errno;
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		allowed[cpu] = cpu < CPU_SETSIZE && CPU_ISSET(cpu, &set);
	return 0;
}

/* Lets the calling thread run on the CPUs marked in `allowed`, only; 0, or a positive error number. */
static inline int ostiary_set_affinity(const uint8_t *allowed, unsigned int cpus)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned int cpu = 0; cpu < cpus && cpu < CPU_SETSIZE; cpu++)
		if (allowed[cpu])
			CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0 ? 0 : errno;
}

#endif
