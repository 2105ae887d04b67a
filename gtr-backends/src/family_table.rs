//! The table of the built-in model families. The list of families and the kinds by which their checkpoints are recognised
//! are generated from it: [`Families::builtin`](crate::Families::builtin) and [`Kind`](crate::checkpoint::Kind).

/// Passes the table of families to a macro. The columns of a line are:
///
/// - the type of the family, which `families.rs` imports;
/// - the constant of [`Kind`](crate::checkpoint::Kind), and its name in messages, with an article;
/// - the tensors, any of which identifies a checkpoint. A family whose checkpoints also have those of another family comes
///   after it.
macro_rules! family_table {
    ($then:ident) => {
        $then! {
            Mar, MAR "a MAR model", ["class_emb.weight", "diffusion_pos_embed_learned"];
            LightGen, LIGHT_GEN "a LightGen model", ["cross_attn_blocks.0.normq.weight", "last_pos_embed_learned"];
        }
    };
}

pub(crate) use family_table;
