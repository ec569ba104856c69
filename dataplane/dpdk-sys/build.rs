//! Finds DPDK by pkg-config, has bindgen write the Rust side of `wrapper.h` and a C file for its static inline functions,
//! and compiles that.

use std::env;
use std::path::PathBuf;
use std::process::exit;

/// Functions that are bound. Everything else of DPDK stays out of sight.
const FUNCTIONS: &[&str] = &[
    // EAL, threads, time
    "rte_eal_init",
    "rte_eal_cleanup",
    "rte_eal_get_runtime_dir",
    "rte_version",
    "rte_thread_register",
    "rte_thread_unregister",
    "rte_get_tsc_hz",
    "rte_rdtsc",
    "rte_dev_probe",
    "rte_dev_name",
    // pools and buffers
    "rte_pktmbuf_pool_create",
    "rte_mempool_free",
    "rte_mempool_avail_count",
    "rte_mempool_in_use_count",
    "rte_mempool_calc_obj_size",
    "rte_pktmbuf_alloc",
    "rte_pktmbuf_append",
    "rte_pktmbuf_free",
    "rte_pktmbuf_free_bulk",
    "rte_pktmbuf_linearize",
    "rte_pktmbuf_chain",
    // ports
    "rte_eth_find_next_owned_by",
    "rte_eth_dev_info_get",
    "rte_eth_dev_configure",
    "rte_eth_dev_adjust_nb_rx_tx_desc",
    "rte_eth_dev_socket_id",
    "rte_eth_rx_queue_setup",
    "rte_eth_tx_queue_setup",
    "rte_eth_dev_start",
    "rte_eth_dev_stop",
    "rte_eth_dev_close",
    "rte_eth_promiscuous_enable",
    "rte_eth_macaddr_get",
    "rte_eth_stats_get",
    "rte_eth_dev_rss_hash_conf_get",
    "rte_eth_tx_burst",
    // rings as ports
    "rte_ring_create",
    "rte_ring_free",
    "rte_eth_from_rings",
    // wrapper.h
    "ostiary_.*",
];

const VARIABLES: &[&str] =
    &["OSTIARY_.*", "RTE_PKTMBUF_HEADROOM", "RTE_MBUF_DEFAULT_DATAROOM", "RTE_MAX_ETHPORTS", "RTE_EAL_PMD_PATH"];

fn main() {
    println!("cargo:rerun-if-changed=wrapper.h");
    // The structures that are bound here have had this shape since 22.11; 24.11 is the last long-term release whose
    // headers were looked through.
    let dpdk = match pkg_config::Config::new().range_version("22.11".."25").probe("libdpdk") {
        Ok(dpdk) => dpdk,
        Err(error) => {
            eprintln!("DPDK 22.11 to 24.x with its headers is needed to build Ostiary. On Debian and Ubuntu:");
            eprintln!("    apt-get install libdpdk-dev libclang-dev pkg-config");
            eprintln!("(or set PKG_CONFIG_PATH to where libdpdk.pc is)\n\n{error}");
            exit(1);
        }
    };
    // Drivers whose own functions are called are not among pkg-config's libraries.
    println!("cargo:rustc-link-lib=rte_net_ring");

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // Debian spreads the headers over two folders and compiles for the oldest CPU that DPDK runs on.
    let mut flags = vec!["-include".to_owned(), "rte_config.h".to_owned(), "-march=corei7".to_owned()];
    flags.extend(dpdk.include_paths.iter().map(|path| format!("-I{}", path.display())));

    let wrappers = out.join("static_functions");
    let mut builder = bindgen::Builder::default()
        .header("wrapper.h")
        .clang_args(&flags)
        .wrap_static_fns(true)
        .wrap_static_fns_path(&wrappers)
        .layout_tests(false)
        .generate_comments(false)
        .derive_debug(false)
        // Only pointers to these are passed about; see wrapper.h for the fields of rte_mbuf.
        .opaque_type("rte_mbuf|rte_mempool|rte_ring|rte_device");
    for function in FUNCTIONS {
        builder = builder.allowlist_function(function);
    }
    for variable in VARIABLES {
        builder = builder.allowlist_var(variable);
    }
    builder
        .generate()
        .expect("clang reads DPDK's headers (libclang-dev is installed?)")
        .write_to_file(out.join("bindings.rs"))
        .expect("OUT_DIR is writable");

    let mut compiler = cc::Build::new();
    for flag in &flags {
        compiler.flag(flag);
    }
    compiler
        .include(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"))
        .file(wrappers.with_extension("c"))
        .opt_level(3)
        .warnings(false)
        .compile("ostiary_dpdk");
}
