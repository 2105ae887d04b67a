//! Tensors of `torch.save`: views of storages with an offset, a shape and strides.

use std::sync::Arc;

use crate::checkpoint::Dtype;

/// A storage: the elements of one or more tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    /// Key in the file.
    pub(super) key: Arc<str>,
    /// Index of the first element, for a storage that is part of another.
    pub(super) first: usize,
    pub(super) elements: usize,
    /// Element type, or the Python class of an unsupported type.
    pub(super) dtype: Result<Dtype, Arc<str>>,
}

/// A tensor: a view of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorView {
    pub(super) storage: Storage,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// Range of the storage that a tensor uses.
#[derive(Debug)]
pub(super) struct Span {
    /// Number of elements from the first to the last, both included.
    pub(super) length: usize,
    pub(super) contiguous: bool,
}

/// Largest number of elements of a view that repeats elements of its storage, as expanded tensors do. The limit keeps a
/// small file from allocating much memory.
const MOST_REPEATED: usize = 1 << 24;

impl Span {
    pub(super) fn of(view: &TensorView) -> Result<Self, String> {
        let too_large = || format!("the shape {:?} is too large", view.shape);
        let elements =
            view.shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size)).ok_or_else(too_large)?;
        if elements == 0 {
            return Ok(Self { length: 0, contiguous: true });
        }
        let (mut last, mut contiguous, mut expected) = (0_usize, true, 1_usize);
        for (&size, &stride) in view.shape.iter().zip(&view.strides).rev() {
            contiguous &= size == 1 || stride == expected;
            expected *= size;
            let reach = (size - 1).checked_mul(stride).ok_or_else(too_large)?;
            last = last.checked_add(reach).ok_or_else(too_large)?;
        }
        let length = last.checked_add(1).ok_or_else(too_large)?;
        let end = view.offset.checked_add(length).ok_or_else(too_large)?;
        if end > view.storage.elements {
            return Err(format!(
                "the shape {:?} with strides {:?} from element {} does not fit its storage of {}",
                view.shape,
                view.strides,
                view.offset,
                gtr_core::count(view.storage.elements, "element")
            ));
        }
        if elements > length && elements > MOST_REPEATED {
            let length = gtr_core::count(length, "element");
            return Err(format!("it expands {length} to {elements}, expected at most {MOST_REPEATED}"));
        }
        Ok(Self { length, contiguous })
    }
}

/// Copies the elements of a strided view in row-major order.
pub(super) fn gather(view: &TensorView, stored: &[u8], size: usize) -> Vec<u8> {
    let elements: usize = view.shape.iter().product();
    let mut ordered = Vec::with_capacity(elements * size);
    let mut index = vec![0; view.shape.len()];
    for _ in 0..elements {
        let at: usize = index.iter().zip(&view.strides).map(|(index, stride)| index * stride).sum();
        ordered.extend_from_slice(&stored[at * size..(at + 1) * size]);
        for (digit, &limit) in index.iter_mut().zip(&view.shape).rev() {
            *digit += 1;
            if *digit < limit {
                break;
            }
            *digit = 0;
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(shape: &[usize], strides: &[usize], offset: usize, elements: usize) -> TensorView {
        let storage = Storage { key: "0".into(), first: 0, elements, dtype: Ok(Dtype::U8) };
        TensorView { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn strided_views_become_row_major() {
        let transposed = view(&[2, 3], &[1, 2], 0, 6);
        assert!(!Span::of(&transposed).unwrap().contiguous);
        assert_eq!(gather(&transposed, &[0, 1, 2, 3, 4, 5], 1), [0, 2, 4, 1, 3, 5]);
        assert!(Span::of(&view(&[2, 1, 3], &[3, 77, 1], 0, 6)).unwrap().contiguous);
    }

    #[test]
    fn views_may_repeat_elements_within_bounds() {
        let expanded = view(&[2, 3], &[0, 1], 1, 4);
        let span = Span::of(&expanded).unwrap();
        assert_eq!((span.length, span.contiguous), (3, false));
        assert_eq!(gather(&expanded, &[7, 8, 9], 1), [7, 8, 9, 7, 8, 9]);
        assert!(Span::of(&view(&[1 << 12, 1 << 13], &[0, 0], 0, 6)).unwrap_err().contains("it expands 1 element"));
    }

    #[test]
    fn views_stay_inside_their_storage() {
        assert!(Span::of(&view(&[2, 3], &[3, 1], 1, 6)).is_err());
        assert!(Span::of(&view(&[1 << 40, 1 << 40], &[0, 0], 0, 6)).is_err());
        assert!(Span::of(&view(&[1 << 20, 1 << 20], &[0, 0], 0, 6)).is_err());
        assert!(Span::of(&view(&[2], &[usize::MAX], 0, 6)).is_err());
        assert!(Span::of(&view(&[2], &[1], usize::MAX, 6)).is_err());
        assert_eq!(Span::of(&view(&[0, 3], &[3, 1], 0, 0)).unwrap().length, 0);
        assert_eq!(Span::of(&view(&[], &[], 5, 6)).unwrap().length, 1);
    }
}
