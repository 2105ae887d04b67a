//! Compiles the CUDA kernels to PTX, with the feature `cuda`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    kernels();
}

#[cfg(feature = "cuda")]
fn kernels() {
    println!("cargo::rerun-if-changed=cuda");
    let compiled =
        cudaforge::KernelBuilder::new().source_files(["cuda/kernels.cu"]).arg("-std=c++17").arg("-O3").build_ptx();
    if let Err(error) = compiled {
        println!("cargo::error=cannot compile cuda/kernels.cu: {error}");
    }
}
