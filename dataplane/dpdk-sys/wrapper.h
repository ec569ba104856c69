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
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <rte_version.h>

/* Masks that DPDK builds from RTE_BIT64 and casts, which bindgen does not evaluate. */
static const uint64_t OSTIARY_RSS_IP = RTE_ETH_RSS_IP;
static const uint64_t OSTIARY_RSS_TCP = RTE_ETH_RSS_TCP;
static const uint64_t OSTIARY_RSS_UDP = RTE_ETH_RSS_UDP;
static const uint64_t OSTIARY_RX_OFFLOAD_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t OSTIARY_RX_OFFLOAD_RSS_HASH = RTE_ETH_RX_OFFLOAD_RSS_HASH;
static const uint64_t OSTIARY_TX_OFFLOAD_MULTI_SEGS = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
static const uint64_t OSTIARY_TX_IPV4 = RTE_MBUF_F_TX_IPV4;
static const uint64_t OSTIARY_TX_IPV6 = RTE_MBUF_F_TX_IPV6;
static const uint64_t OSTIARY_TX_IP_CHECKSUM = RTE_MBUF_F_TX_IP_CKSUM;
static const uint64_t OSTIARY_TX_TCP_CHECKSUM = RTE_MBUF_F_TX_TCP_CKSUM;
static const uint64_t OSTIARY_TX_UDP_CHECKSUM = RTE_MBUF_F_TX_UDP_CKSUM;
static const uint64_t OSTIARY_TX_TCP_CUT = RTE_MBUF_F_TX_TCP_SEG;
static const uint64_t OSTIARY_TX_TAG = RTE_MBUF_F_TX_VLAN;
static const uint64_t OSTIARY_TX_TAGS = RTE_MBUF_F_TX_QINQ;

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

/* What of a received burst is not as usual: a frame is in several segments; or its octets are not those of the wire. */
static const uint32_t OSTIARY_SEVERAL = 1;
static const uint32_t OSTIARY_UNSETTLED = 2;

/* Flags of frames that a device's work is missing from: tags that the receiving one took out, and what whoever passed a
 * frame on by pointer leaves to the transmitting one. */
#define OSTIARY_STRIPPED (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED)
#define OSTIARY_REQUESTS RTE_MBUF_F_TX_OFFLOAD_MASK

/* Asks for the first line of every frame of a burst, so that it is there when the headers are read; says what is not as
 * usual. */
static inline uint32_t ostiary_look(struct rte_mbuf **frames, uint16_t count)
{
	uint64_t flags = 0;
	uint16_t segments = 0;

	for (uint16_t i = 0; i < count; i++) {
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], const void *));
		flags |= frames[i]->ol_flags;
		segments |= frames[i]->nb_segs ^ 1;
	}
	return (segments != 0 ? OSTIARY_SEVERAL : 0) |
	       ((flags & (OSTIARY_STRIPPED | OSTIARY_REQUESTS)) != 0 ? OSTIARY_UNSETTLED : 0);
}

/* Receives a burst. */
static inline uint16_t ostiary_receive(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t most,
				       uint32_t *marks)
{
	uint16_t count = rte_eth_rx_burst(port, queue, frames, most);

	*marks = ostiary_look(frames, count);
	return count;
}

/* Takes a burst from a ring of one producer and one consumer. */
static inline uint16_t ostiary_dequeue(struct rte_ring *ring, struct rte_mbuf **frames, uint16_t most, uint32_t *marks)
{
	uint16_t count = (uint16_t)rte_ring_sc_dequeue_burst(ring, (void **)frames, most, NULL);

	*marks = ostiary_look(frames, count);
	return count;
}

/* Puts frames into such a ring, as many as it has room for; returns how many. */
static inline uint16_t ostiary_enqueue(struct rte_ring *ring, struct rte_mbuf **frames, uint16_t count)
{
	return (uint16_t)rte_ring_sp_enqueue_burst(ring, (void *const *)frames, count, NULL);
}

/* Puts a tag in front of a frame's EtherType. */
static inline int ostiary_put_tag(struct rte_mbuf *frame, uint16_t ether_type, uint16_t tci)
{
	uint8_t *start;
	uint16_t tag[2] = { rte_cpu_to_be_16(ether_type), rte_cpu_to_be_16(tci) };

	if (rte_pktmbuf_data_len(frame) < 2 * RTE_ETHER_ADDR_LEN)
		return -EINVAL;
	start = (uint8_t *)rte_pktmbuf_prepend(frame, sizeof(tag));
	if (start == NULL)
		return -ENOSPC;
	memmove(start, start + sizeof(tag), 2 * RTE_ETHER_ADDR_LEN);
	memcpy(start + 2 * RTE_ETHER_ADDR_LEN, tag, sizeof(tag));
	return 0;
}

/* The sum of a frame's octets, across segments, as words in network order as they lie in memory; not complemented. Not
 * rte_raw_cksum_mbuf, which in 22.11 loses carries of a segment that begins at an odd offset. Returns a negative error
 * number where the frame is shorter. */
static inline int ostiary_sum(const struct rte_mbuf *frame, uint32_t at, uint32_t length, uint32_t *sum)
{
	uint32_t done = 0;

	for (*sum = 0; frame != NULL && done < length; frame = frame->next) {
		uint32_t here = rte_pktmbuf_data_len(frame);
		uint16_t part;

		if (at >= here) {
			at -= here;
			continue;
		}
		here = RTE_MIN(here - at, length - done);
		part = rte_raw_cksum(rte_pktmbuf_mtod_offset(frame, const uint8_t *, at), here);
		*sum += done & 1 ? rte_bswap16(part) : part;
		done += here;
		at = 0;
	}
	return done == length ? 0 : -EINVAL;
}

/* Puts in the checksums that a frame's flags ask for. Its lengths are the sender's word and are checked. The sum is over
 * the packet as its IP header has it, as padding may follow, and by the protocol asked for, as IPv6's extensions may
 * stand before it: DPDK's own functions sum to the frame's end, and take the protocol from IPv6's first header. */
static inline int ostiary_put_checksums(struct rte_mbuf *frame, uint64_t flags)
{
	const bool v6 = (flags & RTE_MBUF_F_TX_IPV6) != 0;
	const uint64_t transport = flags & RTE_MBUF_F_TX_L4_MASK;
	const bool tcp = transport == RTE_MBUF_F_TX_TCP_CKSUM;
	const uint32_t need = tcp ? sizeof(struct rte_tcp_hdr) :
			      transport == RTE_MBUF_F_TX_UDP_CKSUM ? sizeof(struct rte_udp_hdr) : 0;
	const uint32_t least = v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	const uint32_t at = frame->l2_len + frame->l3_len;
	uint8_t *data = rte_pktmbuf_mtod(frame, uint8_t *);
	uint8_t *ip = data + frame->l2_len;
	uint32_t end, length, sum;
	rte_be16_t *field;

	if (transport == RTE_MBUF_F_TX_SCTP_CKSUM || frame->l3_len < least || at + need > rte_pktmbuf_data_len(frame))
		return -ENOTSUP;
	if (ip[0] >> 4 != (v6 ? 6 : 4) || (!v6 && (ip[0] & 15) * 4 != frame->l3_len))
		return -EINVAL;
	if (flags & RTE_MBUF_F_TX_IP_CKSUM) {
		struct rte_ipv4_hdr *header = (struct rte_ipv4_hdr *)ip;

		if (v6)
			return -EINVAL;
		header->hdr_checksum = 0;
		header->hdr_checksum = rte_ipv4_cksum(header);
	}
	if (need == 0)
		return 0;
	end = v6 ? sizeof(struct rte_ipv6_hdr) + rte_be_to_cpu_16(((struct rte_ipv6_hdr *)ip)->payload_len) :
		   rte_be_to_cpu_16(((struct rte_ipv4_hdr *)ip)->total_length);
	if (end < frame->l3_len + need)
		return -EINVAL;
	length = end - frame->l3_len;
	field = tcp ? &((struct rte_tcp_hdr *)(data + at))->cksum : &((struct rte_udp_hdr *)(data + at))->dgram_cksum;
	*field = 0;
	if (ostiary_sum(frame, at, length, &sum) != 0)
		return -EINVAL;
	/* The pseudo-header: both addresses, the length, the protocol (RFC 9293, 3.1; RFC 8200, 8.1). */
	sum += rte_raw_cksum(ip + (v6 ? 8 : 12), v6 ? 32 : 8) + rte_cpu_to_be_16((uint16_t)length) +
	       rte_cpu_to_be_16(tcp ? IPPROTO_TCP : IPPROTO_UDP);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	/* UDP's 0 would say that there is none (RFC 768). */
	*field = (rte_be16_t)(sum == 0 && !tcp ? 0xffff : sum);
	return 0;
}

/* Makes a frame's octets those of the wire. Returns 0, or a negative error number where that cannot be: a large segment
 * that a device is to cut, a tunnel's checksums, a frame that others hold too. */
static inline int ostiary_settle(struct rte_mbuf *frame)
{
	const uint64_t checksums = RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK;
	const uint64_t described = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6;
	/* Of a frame whose outer tag alone was taken out, RX_VLAN_STRIPPED is not set. */
	const uint64_t inner = RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ;
	const uint64_t outer = RTE_MBUF_F_RX_QINQ_STRIPPED | RTE_MBUF_F_TX_QINQ;
	uint64_t flags = frame->ol_flags;
	int error = 0;

	if (!(flags & (OSTIARY_STRIPPED | OSTIARY_REQUESTS)))
		return 0;
	if (flags & OSTIARY_REQUESTS & ~(checksums | described | RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ))
		return -ENOTSUP;
	if (!RTE_MBUF_DIRECT(frame) || rte_mbuf_refcnt_read(frame) > 1)
		return -EINVAL;
	/* First what lies within: the lengths are those of the frame as it is. */
	if (flags & checksums)
		error = ostiary_put_checksums(frame, flags);
	if (error == 0 && flags & inner)
		error = ostiary_put_tag(frame, RTE_ETHER_TYPE_VLAN, frame->vlan_tci);
	if (error == 0 && flags & outer)
		error = ostiary_put_tag(frame, RTE_ETHER_TYPE_QINQ, frame->vlan_tci_outer);
	frame->ol_flags &= ~(OSTIARY_STRIPPED | RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_QINQ | OSTIARY_REQUESTS);
	return error;
}

/* Takes tags out of a frame that has as many, as devices do: the VLAN tag; of two, the outer one, a provider's, or both.
 * Returns 0, or a negative error number. */
static inline int ostiary_strip_tags(struct rte_mbuf *frame, uint16_t tags)
{
	const uint8_t *start = rte_pktmbuf_mtod(frame, const uint8_t *);
	const uint16_t *types = (const uint16_t *)(start + 2 * RTE_ETHER_ADDR_LEN);

	if (rte_pktmbuf_data_len(frame) < RTE_ETHER_HDR_LEN + 2 * sizeof(struct rte_vlan_hdr))
		return -EINVAL;
	if (types[0] == rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) && tags == 1)
		return rte_vlan_strip(frame);
	if (types[0] != rte_cpu_to_be_16(RTE_ETHER_TYPE_QINQ) || types[2] != rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN) ||
	    tags < 1 || tags > 2)
		return -EINVAL;
	frame->vlan_tci_outer = rte_be_to_cpu_16(types[1]);
	frame->vlan_tci = rte_be_to_cpu_16(types[3]);
	frame->ol_flags |= RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED | RTE_MBUF_F_RX_VLAN |
			   (tags == 2 ? RTE_MBUF_F_RX_VLAN_STRIPPED : 0);
	memmove(rte_pktmbuf_adj(frame, tags * sizeof(struct rte_vlan_hdr)), start, 2 * RTE_ETHER_ADDR_LEN);
	return 0;
}

/* Leaves work on a frame to the device that sends it. */
static inline void ostiary_leave(struct rte_mbuf *frame, uint64_t flags, const uint16_t *lengths, const uint16_t *tags)
{
	frame->l2_len = lengths[0];
	frame->l3_len = lengths[1];
	frame->l4_len = lengths[2];
	frame->tso_segsz = lengths[3];
	frame->ol_flags |= flags;
	if (flags & (RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_QINQ)) {
		frame->vlan_tci = tags[0];
		frame->vlan_tci_outer = tags[1];
	}
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
