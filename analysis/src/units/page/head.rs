//! A head, from its weights.

use golgi_data::site::{BlockPoint, Site};
use golgi_probes::transformer::{Block, Layout};
use golgi_probes::{Device, Kind, OpenModel, Tensor};

use super::vocabulary::{before_attention, behind, reader, writer};
use super::{Measure, TokenEnds};
use crate::direct::plain;
use crate::distribution::{TOKENS_AT_ONCE, ends};
use crate::error::Result;
use crate::prompt::PromptRun;
use crate::prompt::attention::{head_scores, matches};

/// `W_O` of a head, `[d_head, d_model]`: what each coordinate of its `z` writes.
pub(super) fn output(block: &Block, head: u32) -> Result<Tensor> {
    let d_head = block.attn.shape.d_head;
    plain(&block.attn.o.weight.f_narrow(1, i64::from(head) * d_head, d_head)?.f_tr()?)
}

/// `W_V` of the key-value head that serves `head`, `[d_head, d_model]`.
fn values(block: &Block, head: u32) -> Result<Tensor> {
    let shape = &block.attn.shape;
    let served_by = i64::from(head) / (shape.n_heads / shape.n_kv_heads);
    plain(&block.attn.v.weight.f_narrow(0, served_by * shape.d_head, shape.d_head)?)
}

pub(super) fn describe(
    model: &OpenModel,
    run: &PromptRun,
    layer: usize,
    head: u32,
    top: usize,
) -> Result<(Vec<Measure>, Vec<TokenEnds>)> {
    let block = &model.model.blocks[layer];
    let (w_v, w_o) = (values(block, head)?, output(block, head)?);
    let measure = |name: &str, value: f32, formula: &str| Measure { name: name.into(), value, formula: formula.into() };
    let length = |x: &Tensor| Ok::<_, crate::AnalysisError>(x.f_norm()?.f_double_value(&[])? as f32);
    // ‖W_V W_O‖² = tr((W_V W_Vᵀ)(W_O W_Oᵀ)), without the [d_model, d_model] product.
    let squared = w_v.f_matmul(&w_v.f_tr()?)?.f_mul(&w_o.f_matmul(&w_o.f_tr()?)?)?.f_sum(None::<Kind>)?;
    let ov = squared.f_double_value(&[])?.max(0.0).sqrt() as f32;
    let mut measures = vec![
        measure("value norm", length(&w_v)?, "‖W_V‖"),
        measure("output norm", length(&w_o)?, "‖W_O‖"),
        measure("OV norm", ov, "‖W_V W_O‖"),
    ];
    let mut lists = Vec::new();
    let writes = match &block.layout {
        Layout::Sandwich { ln1_post, .. } => behind(ln1_post, &w_o)?,
        _ => w_o,
    };
    if let Some((table, writes)) = writer(model, &writes)? {
        let reads = reader(model, before_attention(block), &w_v)?;
        let through = Through::new(&model.model.embedding.tokens, table, &reads, &writes)?;
        let formula =
            "Σ Re λ / Σ |λ|, λ the eigenvalues of W_E W_V W_O W_U, mean embedding and mean unembedding taken out";
        measures.push(measure("copying score", copying(&through.product)?, formula));
        let formula = "the same with every token's unembedding exchanged for another's: near 0";
        measures.push(measure("copying score, exchanged", copying(&through.exchanged)?, formula));
        let formula =
            "Σ Re λ / Σ |λ|, λ the eigenvalues of W_E W_V W_O W_U as it is; the mean embedding alone can make it large";
        measures.push(measure("copying score, uncentred", copying(&through.uncentred)?, formula));
        let formula = "diagonal of W_E W_V W_O W_U: logit of the token attended to, minus the mean logit; raw embedding rows, \
                       gains folded in, scales left out";
        lists.push(ends(model, "copies", formula, &through.diagonal, top)?);
    }
    let pattern = run.activation(model, &Site::block(layer as u32, BlockPoint::Pattern))?;
    let pattern = pattern.f_narrow(0, i64::from(head), 1)?;
    if let Some(scores) = head_scores(layer as u32, &pattern, &matches(run.tokens())?)?.first() {
        measures.push(measure("previous-token score", scores.previous, "mean A[q, q−1] on this text"));
        measures.push(measure(
            "duplicate-token score",
            scores.duplicate,
            "mean mass on earlier equal tokens, on this text",
        ));
        measures.push(measure(
            "induction score",
            scores.induction,
            "mean mass just behind earlier equal tokens, on this text",
        ));
    }
    Ok((measures, lists))
}

/// A head's map from tokens to tokens, never written out: two factors of width `d_head`, worked through in pieces.
struct Through {
    /// `W_V E W_U W_O`, `[d_head, d_head]`, of embeddings and unembeddings without their means.
    product: Tensor,
    /// The same with unembedding rows exchanged.
    exchanged: Tensor,
    /// The same with the means.
    uncentred: Tensor,
    /// `[d_vocab]`: what each token does to its own logit, against the mean logit.
    diagonal: Tensor,
}

impl Through {
    /// `embed` `[d_vocab, d_embed]` read by `reads` `[d_head, d_embed]`, `unembed` likewise written to by `writes`.
    fn new(embed: &Tensor, unembed: &Tensor, reads: &Tensor, writes: &Tensor) -> Result<Through> {
        let device = embed.device();
        let (reads, writes) = (reads.f_to_device(device)?.f_tr()?, writes.f_to_device(device)?.f_tr()?);
        let d_head = reads.size()[1];
        let zeros = |rows: i64| Tensor::f_zeros([rows, d_head], (Kind::Float, device));
        let (mut product, mut exchanged) = (zeros(d_head)?, zeros(d_head)?);
        let mut sum = zeros(1)?;
        let mean = unembed.f_mean_dim([0i64].as_slice(), true, Kind::Float)?.f_matmul(&writes)?;
        let rows = embed.size()[0].min(unembed.size()[0]);
        let mut diagonal = Vec::new();
        for start in (0..rows).step_by(TOKENS_AT_ONCE as usize) {
            let n = TOKENS_AT_ONCE.min(rows - start);
            let piece = |table: &Tensor| table.f_narrow(0, start, n)?.f_to_kind(Kind::Float);
            let (from, to) = (piece(embed)?.f_matmul(&reads)?, piece(unembed)?.f_matmul(&writes)?);
            product = product.f_add(&from.f_tr()?.f_matmul(&to)?)?;
            exchanged = exchanged.f_add(&from.f_tr()?.f_matmul(&to.f_roll([n / 2].as_slice(), [0i64].as_slice())?)?)?;
            sum = sum.f_add(&from.f_sum_dim_intlist([0i64].as_slice(), true, None::<Kind>)?)?;
            let own = from.f_mul(&to.f_sub(&mean)?)?.f_sum_dim_intlist(-1, false, None::<Kind>)?;
            diagonal.push(own.f_to_device(Device::Cpu)?);
        }
        let of_means = sum.f_tr()?.f_matmul(&mean)?;
        Ok(Through {
            exchanged: exchanged.f_sub(&of_means)?,
            uncentred: product.shallow_clone(),
            product: product.f_sub(&of_means)?,
            diagonal: Tensor::f_cat(&diagonal, 0)?,
        })
    }
}

/// `Σ Re λ / Σ |λ|` of a square matrix; 0 for the zero matrix.
fn copying(matrix: &Tensor) -> Result<f32> {
    let eigenvalues = plain(matrix)?.f_linalg_eigvals()?;
    let real = eigenvalues.f_real()?.f_sum(None::<Kind>)?.f_double_value(&[])?;
    let size = eigenvalues.f_abs()?.f_sum(None::<Kind>)?.f_double_value(&[])?;
    Ok(if size > 0.0 { (real / size) as f32 } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(values: &[f32], columns: i64) -> Tensor {
        Tensor::from_slice(values).view([-1, columns])
    }

    #[test]
    fn copying_scores_of_known_matrices() {
        assert_eq!(copying(&matrix(&[2.0, 0.0, 0.0, 3.0], 2)).unwrap(), 1.0);
        assert_eq!(copying(&matrix(&[-2.0, 0.0, 0.0, -3.0], 2)).unwrap(), -1.0);
        // A rotation by 90° has eigenvalues ±i.
        assert!(copying(&matrix(&[0.0, -1.0, 1.0, 0.0], 2)).unwrap().abs() < 1e-6);
        assert_eq!(copying(&matrix(&[0.0; 4], 2)).unwrap(), 0.0);
    }

    #[test]
    fn the_small_product_has_the_eigenvalues_of_the_large_one() {
        // Four tokens, d_embed 3, d_head 2.
        let embed = matrix(&[1.0, 0.5, -0.3, 0.2, -1.0, 0.7, 0.4, 0.1, 1.2, -0.6, 0.9, 0.3], 3);
        let unembed = matrix(&[0.8, 0.1, -0.2, 0.3, -0.9, 0.4, 0.1, 0.2, 1.0, -0.7, 0.6, 0.5], 3);
        let (reads, writes) = (matrix(&[1.0, 0.0, 0.5, 0.0, 1.0, -0.5], 3), matrix(&[0.7, 0.2, 0.0, 0.1, 0.9, 0.3], 3));
        let through = Through::new(&embed, &unembed, &reads, &writes).unwrap();
        let whole = embed.matmul(&reads.tr()).matmul(&writes).matmul(&unembed.tr());
        assert!((copying(&whole).unwrap() - copying(&through.uncentred).unwrap()).abs() < 1e-5);
        let without_mean = |x: &Tensor| x - x.mean_dim([0i64].as_slice(), true, None);
        let centred_whole =
            without_mean(&embed).matmul(&reads.tr()).matmul(&writes).matmul(&without_mean(&unembed).tr());
        assert!((copying(&centred_whole).unwrap() - copying(&through.product).unwrap()).abs() < 1e-5);
        let rolled = without_mean(&unembed).roll([2i64].as_slice(), [0i64].as_slice());
        let exchanged = without_mean(&embed).matmul(&reads.tr()).matmul(&writes).matmul(&rolled.tr());
        assert!((copying(&exchanged).unwrap() - copying(&through.exchanged).unwrap()).abs() < 1e-5);
        let centred = whole.diagonal(0, 0, 1) - whole.mean_dim([1i64].as_slice(), false, None);
        assert!(centred.allclose(&through.diagonal, 1e-5, 1e-6, false));
    }
}
